import { directoryTree } from '../../../schemas/load/directory-tree.ts'
import type { FileTree, TreeEntry } from '../../../schemas/load/file-tree.ts'
import { FibricError } from '../../domain/errors.ts'
import { belongsToConfiguration, pathBelow, refuseLfsPointer, refuseSubmodule } from './configuration-files.ts'
import { fileModes, type GitObjects, type TrackedFile } from './git-objects.ts'
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
  const disk = directoryTree(directory)
  const [onDisk, { tracked: index, untracked }, settings] = await Promise.all([
    disk.list(),
    objects.working(prefix),
    objects.settings(),
  ])
  const tracked = index.filter(({ path }) => belongsToConfiguration(path, prefix))
  const below = (path: string) => pathBelow(path, prefix)
  for (const { path, mode } of tracked) if (mode === fileModes.submodule) refuseSubmodule(below(path))
  for (const path of untracked) {
    // git names a folder only when it is a repository of its own.
    if (path.endsWith('/') && belongsToConfiguration(path, prefix)) refuseSubmodule(below(path.slice(0, -1)))
  }

  const indexed = new Map(tracked.filter(({ asInIndex }) => asInIndex).map((file) => [below(file.path), file]))
  const fromIndex = readAhead(objects, tracked)
  const committed = new Map(
    [...tracked.map(({ path }) => path), ...untracked].map((path) => [spelling(path), below(path)]),
  )
  const entries = new Map<string, TreeEntry>()
  for (const entry of onDisk) {
    const path = committed.get(spelling(prefix === '' ? entry.path : `${prefix}/${entry.path}`))
    if (path !== undefined && !indexed.has(path)) entries.set(path, { ...entry, path })
  }
  const files = [...entries.values()].filter(({ kind }) => kind === 'file').map(({ path }) => full(path))
  const attributes = await objects.attributes(files)
  const trackedByPath = new Map(tracked.map((file) => [file.path, file]))
  const conversions = new Map(files.map((path) => [below(path), conversionOf(attributes.get(path) ?? {}, settings)]))

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
    const indexOid = trackedByPath.get(full(entry.path))?.oid ?? ''
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
    if (conversion === undefined) throw new FibricError('NOT_FOUND', `\`${path}\` is not what git would commit`)
    if (conversion.kind === 'refused') return null
    const bytes = await disk.read(path)
    if (conversion.kind === 'none') return bytes
    return convertToGit(bytes, conversion, async () => {
      const before = trackedByPath.has(full(path)) ? await fromIndex(full(path)) : null
      return before !== null && isTextWithCrlf(before)
    })
  }
}
