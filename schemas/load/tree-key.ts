import { hash } from 'node:crypto'
import { digestBytes } from '../../controller/domain/digest.ts'
import { type FileTree, fileBytesMax, type TreeEntry } from './file-tree.ts'
import { compareText } from './findings.ts'

// A fresh checkout is young altogether; reading all of it just to name it would not pay.
const youngFilesMax = 200

/**
 * A name for everything a load depends on, or null when finding it would take too long: equal keys, equal results.
 *
 * Files that are too young to have a token are named by their bytes.
 */
export async function treeKey(
  tree: FileTree,
  entries: readonly TreeEntry[],
  appliedPaths: ReadonlySet<string> | undefined,
): Promise<string | null> {
  const young = entries.filter(({ kind, token }) => kind === 'file' && token === null)
  if (young.length > youngFilesMax || young.some(({ size }) => size === null || size > fileBytesMax)) return null
  const names = new Map<TreeEntry, string>()
  for (const entry of young) {
    try {
      names.set(entry, digestBytes(await tree.read(entry.path)))
    } catch {
      // It cannot be read, which is for the load itself to report.
      return null
    }
  }
  const parts: string[] = []
  for (const entry of [...entries].sort((a, b) => compareText(a.path, b.path))) {
    parts.push(`${entry.path}\0${entry.kind}\0${entry.token ?? names.get(entry) ?? entry.target}`)
  }
  const applied = appliedPaths ? [...appliedPaths].sort() : []
  return hash('sha256', [...parts, '', ...applied].join('\n'), 'hex')
}
