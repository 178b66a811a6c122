import { digestBytes } from '../../controller/domain/digest.ts'
import type { FileSubject } from './analyse-file.ts'
import type { AnalysisPool } from './analyse-pool.ts'
import type { FileFacts } from './facts.ts'
import { type FileTree, fileBytesMax, type TreeEntry } from './file-tree.ts'
import { compareText, type Findings } from './findings.ts'
import type { DocumentFile } from './listing.ts'
import type { ParseCache } from './parse-cache.ts'

/** A file together with what its bytes say. */
export interface ReadFile {
  readonly file: DocumentFile
  readonly facts: FileFacts
  /** Names the facts: equal keys, equal facts. */
  readonly key: string
}

/** The facts of every document file: from the cache where its bytes were seen before, else by parsing. */
export async function readDocuments(
  tree: FileTree,
  files: readonly DocumentFile[],
  cache: ParseCache,
  findings: Findings,
): Promise<ReadFile[]> {
  const read: ReadFile[] = []
  const unknown: { readonly file: DocumentFile; readonly key: string }[] = []
  let pool: AnalysisPool | null = null
  for (const file of files) {
    const found = await readDigest(tree, file.entry, file.path, cache, findings)
    if (found === null) continue
    const key = keyOf(file, found.digest)
    const facts = cache.facts(key)
    if (facts) {
      read.push({ file, facts, key })
      continue
    }
    // Schemas, CEL and the parser take 150 ms to load; a run that parses nothing goes without them.
    pool ??= new (await import('./analyse-pool.ts')).AnalysisPool()
    pool.add({ bytes: found.bytes ?? (await tree.read(file.entry.path)), subject: subjectOf(file) })
    unknown.push({ file, key })
  }
  if (pool === null) return read
  for (const [index, facts] of (await pool.finish()).entries()) {
    const { file, key } = unknown[index]!
    cache.rememberFacts(key, facts)
    read.push({ file, facts, key })
  }
  return read.sort((a, b) => compareText(a.file.path, b.file.path))
}

export function subjectOf(file: DocumentFile): FileSubject {
  return { slug: file.slug, role: file.role, json: isJson(file) }
}

/** Facts depend on the bytes, on whose they are, and on how they are read. */
function keyOf(file: DocumentFile, digest: string): string {
  const owner = file.role === 'deployment' ? '' : file.slug
  return `${digest.slice('sha256:'.length)}:${owner}${isJson(file) ? ':json' : ''}`
}

/** The digest of a file's bytes, and the bytes when they had to be read; null when they cannot be, which is a finding. */
export async function readDigest(
  tree: FileTree,
  entry: TreeEntry,
  path: string,
  cache: ParseCache,
  findings: Findings,
): Promise<{ digest: string; bytes: Buffer | null } | null> {
  const known = entry.token === null ? undefined : cache.digestOf(entry.token)
  if (known !== undefined) return { digest: known, bytes: null }
  try {
    if (entry.size !== null && entry.size > fileBytesMax) return tooLarge(path, entry.size, findings)
    const bytes = await tree.read(entry.path)
    if (bytes.length > fileBytesMax) return tooLarge(path, bytes.length, findings)
    const digest = digestBytes(bytes)
    if (entry.token !== null) cache.rememberDigest(entry.token, digest)
    return { digest, bytes }
  } catch (error) {
    findings.add(unreadable(path, error as NodeJS.ErrnoException & { hint?: string | null }))
    return null
  }
}

/** A tree may know better than the operating system why: what it says and advises is passed on. */
function unreadable(path: string, error: NodeJS.ErrnoException & { hint?: string | null }) {
  const reason = error.errno === undefined ? error.message.split('\n', 1)[0] : error.code
  const hint = error.hint ?? 'check its permissions'
  return { code: 'FILE_UNREADABLE', message: `\`${path}\` cannot be read: ${reason}`, hint, path, place: null }
}

function tooLarge(path: string, bytes: number, findings: Findings): null {
  const message = `\`${path}\` has ${bytes} bytes, over ${fileBytesMax}`
  findings.add({
    code: 'FILE_TOO_LARGE',
    message,
    hint: 'split it, or move what is no document elsewhere',
    path,
    place: null,
  })
  return null
}

function isJson(file: DocumentFile): boolean {
  return file.path.endsWith('.json')
}
