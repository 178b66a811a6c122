import { directoryTree } from '../../../schemas/load/directory-tree.ts'
import type { FileTree, TreeEntry } from '../../../schemas/load/file-tree.ts'
import { FibricError } from '../../domain/errors.ts'
import { belongsToConfiguration, pathBelow, refuseLfsPointer, refuseSubmodule } from './configuration-files.ts'
import { fileModes, type GitObjects, type TrackedFile, type WorkingFiles } from './git-objects.ts'
import { readAhead } from './read-ahead.ts'
import { type Conversion, conversionOf, convertToGit, isTextWithCrlf, isTrue } from './text-conversion.ts'

export interface WorkingTree extends FileTree {
  /** What `read` gives, LFS pointers included; null where only a program of the repository's configuration could say. */
  bytesToCommit(path: string): Promise<Buffer | null>
}

/**
 * A configuration directory as `git add --all` would commit it: tracked and untracked, not ignored, bytes normalised.
 *
 * `directory` is what `prefix` names on disk. What is listed is settled when this is called; bytes are read when asked.
 */
export async function openWorkingTree(objects: GitObjects, directory: string, prefix: string): Promise<WorkingTree> {
  const [working, settings] = await Promise.all([objects.working(prefix), objects.settings()])
  const { tracked, untracked } = configurationOnly(working, prefix)
  const below = (path: string) => pathBelow(path, prefix)
  const trackedByPath = new Map(tracked.map((file) => [below(file.path), file]))
  const indexed = new Map([...trackedByPath].filter(([, { asInIndex }]) => asInIndex))
  const fromIndex = readAhead(objects, tracked)

  const disk = directoryTree(directory)
  const paths = [...tracked.filter(({ asInIndex }) => !asInIndex).map(({ path }) => path), ...untracked]
  const asking = objects.attributes(paths)
  // git looks attributes up in a process of its own while this one walks the directory.
  const [onDisk, attributes] = await Promise.all([disk.list(), asking])
  const committed = new Map(paths.map((path) => [spelling(below(path)), below(path)]))
  const entries = new Map<string, TreeEntry>()
  for (const entry of onDisk) {
    const path = committed.get(spelling(entry.path))
    if (path !== undefined) entries.set(path, { ...entry, path })
  }
  const conversions = new Map(paths.map((path) => [below(path), conversionOf(attributes.get(path) ?? {}, settings)]))

  return { list, read, bytesToCommit }

  function full(path: string): string {
    return prefix === '' ? path : `${prefix}/${path}`
  }

  // A file system that ignores case or composes letters may spell a name otherwise than the index does.
  function spelling(path: string): string {
    const folds = isTrue(settings.get('core.ignorecase')) || isTrue(settings.get('core.precomposeunicode'))
    return folds ? path.normalize('NFC').toLowerCase() : path
  }

  async function list(): Promise<TreeEntry[]> {
    const spoken = await Promise.all([...indexed.values()].map(indexEntry))
    const found = [...entries.values()].map((entry) => withConversion(entry, conversions.get(entry.path)))
    return [...found, ...spoken]
  }

  async function indexEntry({ path, mode, oid }: TrackedFile): Promise<TreeEntry> {
    if (mode !== fileModes.symlink)
      return { path: below(path), kind: 'file', size: null, token: `git:${oid}`, target: null }
    const target = (await fromIndex(path))!
    return { path: below(path), kind: 'symlink', size: target.length, token: null, target: target.toString('utf8') }
  }

  // The same bytes on disk are other bytes under other rules, and a guess also looks at the index.
  function withConversion(entry: TreeEntry, conversion: Conversion | undefined): TreeEntry {
    if (entry.token === null || conversion === undefined || conversion.kind === 'none') return entry
    if (conversion.kind === 'refused') return { ...entry, token: null }
    const indexOid = trackedByPath.get(entry.path)?.oid ?? ''
    return { ...entry, token: `${entry.token}:${conversion.lineEndings}:${conversion.ident}:${indexOid}` }
  }

  async function read(path: string): Promise<Buffer> {
    const bytes = await bytesToCommit(path)
    if (bytes === null) {
      const conversion = conversions.get(path)
      const because = conversion?.kind === 'refused' ? conversion.because : 'a filter'
      throw new FibricError('GIT', `what git would commit of \`${path}\` depends on ${because}, which is not run`, {
        hint: 'take the file out of that rule in `.gitattributes`: configuration is plain UTF-8 text',
      })
    }
    refuseLfsPointer(path, bytes)
    return bytes
  }

  async function bytesToCommit(path: string): Promise<Buffer | null> {
    if (indexed.has(path)) return fromIndex(full(path))
    const conversion = conversions.get(path)
    if (conversion === undefined || !entries.has(path))
      throw new FibricError('NOT_FOUND', `\`${path}\` is not what git would commit`)
    if (conversion.kind === 'refused') return null
    const bytes = await disk.read(path)
    if (conversion.kind === 'none') return bytes
    return convertToGit(bytes, conversion, async () => {
      const before = trackedByPath.has(path) ? await fromIndex(full(path)) : null
      return before !== null && isTextWithCrlf(before)
    })
  }
}

function configurationOnly({ tracked, untracked }: WorkingFiles, prefix: string): WorkingFiles {
  const ours = {
    tracked: tracked.filter(({ path }) => belongsToConfiguration(path, prefix)),
    untracked: untracked.filter((path) => belongsToConfiguration(path, prefix)),
  }
  const submodule = ours.tracked.find(({ mode }) => mode === fileModes.submodule)?.path
  // git lists an untracked folder as a whole only when it is a repository of its own.
  const refused = submodule ?? ours.untracked.find((path) => path.endsWith('/'))?.slice(0, -1)
  if (refused !== undefined) refuseSubmodule(pathBelow(refused, prefix))
  return ours
}
