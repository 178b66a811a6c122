import { lstat, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join, relative, sep } from 'node:path'
import { FibricError } from '../../controller/domain/errors.ts'
import { formatFile } from '../../schemas/format/index.ts'
import type { Diagnostic } from '../../schemas/index.ts'
import { Findings } from '../../schemas/load/findings.ts'
import { directoryTree, type TreeEntry } from '../../schemas/load/index.ts'
import { roleOf } from '../../schemas/load/paths.ts'
import { localProblem } from '../../schemas/load/places.ts'
import { SourceText } from '../../schemas/load/source-text.ts'

export interface FormatReport {
  /** Paths below the root whose text is not canonical; unless only checked, they are now. */
  readonly changed: readonly string[]
  /** How many files have documents of ours. */
  readonly files: number
  /** Files that could not be parsed, and are as they were. */
  readonly refused: readonly Diagnostic[]
}

/** Formats every document of ours at or below `within`. A file is replaced as a whole or not at all. */
export async function formatRepository(root: string, within: string, write: boolean): Promise<FormatReport> {
  const tree = directoryTree(root)
  const changed: string[] = []
  const findings = new Findings()
  let files = 0
  for (const { path } of (await tree.list()).filter((entry) => isWanted(entry, relative(root, within)))) {
    const bytes = await readFile(join(root, path))
    const formatted = formatFile(bytes, path.endsWith('.json'))
    if (formatted.is === 'foreign') continue
    files += 1
    if (formatted.is === 'refused') {
      const source = new SourceText(formatted.text)
      for (const problem of formatted.problems) findings.addLocal(path, localProblem(source, problem))
    } else if (!bytes.equals(Buffer.from(formatted.text))) {
      changed.push(path)
      if (write) await replace(join(root, path), formatted.text)
    }
  }
  return { changed: changed.sort(), files, refused: await findings.sorted(tree) }
}

/** A link is left alone: what it leads to is formatted where it lies. */
function isWanted({ path, kind }: TreeEntry, folder: string): boolean {
  const { role } = roleOf(path)
  const below = folder.split(sep).join('/')
  return (
    kind === 'file' &&
    (role === 'document' || role === 'deployment') &&
    (below === '' || path === below || path.startsWith(`${below}/`))
  )
}

async function replace(path: string, text: string): Promise<void> {
  const temporary = join(dirname(path), `.${process.pid}.fibric-fmt.tmp`)
  try {
    const { mode } = await lstat(path)
    await writeFile(temporary, text, { mode, flag: 'wx' })
    await rename(temporary, path)
  } catch (cause) {
    await rm(temporary, { force: true })
    const { code } = cause as NodeJS.ErrnoException
    throw new FibricError('FILE_NOT_WRITTEN', `\`${path}\` cannot be written (${code})`, {
      hint: 'check who owns the file and its folder, or use --check',
      cause,
    })
  }
}
