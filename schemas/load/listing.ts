import { type FileTree, fileBytesMax, type TreeEntry } from './file-tree.ts'
import { compareText, type Findings } from './findings.ts'
import { folderOf, resolvePath, roleOf, slugProblem } from './paths.ts'

/** A file that is read for documents. */
export interface DocumentFile {
  readonly path: string
  readonly slug: string
  readonly role: 'deployment' | 'document'
  /** What is read: the entry itself, or what a symlink leads to. */
  readonly entry: TreeEntry
}

export interface Listing {
  readonly documents: readonly DocumentFile[]
  /** Names of the folders below `tenants/`, sorted. */
  readonly slugs: readonly string[]
  /** The entry a `file:` reference of a document means, or why it means none. */
  resolve(from: DocumentFile, reference: string): TreeEntry | 'outside' | 'missing'
}

/** What a tree holds, by path alone: documents, folders of tenants, and links that may not be followed. */
export async function readListing(tree: FileTree, all: readonly TreeEntry[], findings: Findings): Promise<Listing> {
  const entries = new Map<string, TreeEntry>()
  for (const entry of all) entries.set(entry.path, entry)
  const follow = linkFollower(entries)
  const documents: DocumentFile[] = []
  const slugs = new Set<string>()
  for (const entry of [...entries.values()].sort((a, b) => compareText(a.path, b.path))) {
    const { path } = entry
    const { role, slug } = roleOf(path)
    if (role === 'stray' && (await isOurs(tree, entry))) findings.add(strayFile(path))
    if (slug !== null && role === 'document' && !slugs.has(slug)) {
      slugs.add(slug)
      const problem = slugProblem(slug)
      if (problem) findings.add({ ...problem, path, place: null })
    }
    const target = entry.kind === 'symlink' ? follow(path, boundaryOf(path)) : entry
    if (target === 'outside' && !isHidden(path)) findings.add(linkOutside(path, entry.target ?? ''))
    if ((role !== 'document' && role !== 'deployment') || target === 'outside') continue
    if (target === 'missing') findings.add(linkBroken(path, entry.target ?? ''))
    // A link to a document of the same folder adds nothing: the document is read where it lies.
    else if (target === 'folder' || (target !== entry && roleOf(target.path).role === role)) continue
    else documents.push({ path, slug, role, entry: target })
  }
  return {
    documents,
    slugs: [...slugs],
    resolve: (from, reference) => {
      const boundary = boundaryOf(from.path)
      const path = reference.startsWith('/') ? null : resolvePath(folderOf(from.path), reference)
      if (path === boundary) return 'missing'
      if (path === null || !isWithin(path, boundary)) return 'outside'
      const target = follow(path, boundary)
      return target === 'folder' ? 'missing' : target
    },
  }
}

/** The folder that nothing referred to from `path` may leave: the tenant's; for the Deployment, the platform's. */
function boundaryOf(path: string): string {
  const [top, slug] = path.split('/')
  return top === 'tenants' && slug !== undefined ? `tenants/${slug}` : 'tenants/_platform'
}

function isWithin(path: string, boundary: string): boolean {
  return path.startsWith(`${boundary}/`)
}

function isHidden(path: string): boolean {
  return path.split('/').some((segment) => segment.startsWith('.'))
}

const linksMax = 40

/** Follows links by the listing alone, folder by folder, so that no link is followed that leaves `boundary` on its way. */
function linkFollower(entries: ReadonlyMap<string, TreeEntry>) {
  let folders: ReadonlySet<string> | null = null
  return (path: string, boundary: string): TreeEntry | 'outside' | 'missing' | 'folder' => {
    let current = path
    for (let links = 0; links <= linksMax; links++) {
      const link = firstLink(entries, current)
      if (link === null) break
      const target = link.target ?? ''
      const resolved = target.startsWith('/') ? null : resolvePath(folderOf(link.path), target)
      if (resolved === null) return 'outside'
      current = `${resolved}${current.slice(link.path.length)}`
      if (!isWithin(current, boundary)) return 'outside'
    }
    const entry = entries.get(current)
    if (entry) return entry.kind === 'file' ? entry : 'missing'
    folders ??= foldersOf(entries)
    return folders.has(current) ? 'folder' : 'missing'
  }
}

function foldersOf(entries: ReadonlyMap<string, TreeEntry>): ReadonlySet<string> {
  const folders = new Set<string>()
  for (const path of entries.keys()) {
    for (let folder = folderOf(path); folder !== '' && !folders.has(folder); folder = folderOf(folder))
      folders.add(folder)
  }
  return folders
}

function firstLink(entries: ReadonlyMap<string, TreeEntry>, path: string): TreeEntry | null {
  for (let slash = path.indexOf('/'); slash !== -1; slash = path.indexOf('/', slash + 1)) {
    const entry = entries.get(path.slice(0, slash))
    if (entry?.kind === 'symlink') return entry
  }
  const entry = entries.get(path)
  return entry?.kind === 'symlink' ? entry : null
}

async function isOurs(tree: FileTree, entry: TreeEntry): Promise<boolean> {
  return (
    entry.kind === 'file' && (entry.size ?? 0) <= fileBytesMax && (await tree.read(entry.path)).includes('fibric.io/')
  )
}

function strayFile(path: string) {
  const hint = 'move it into `tenants/<tenant>/`, or into `tenants/_platform/`'
  return { code: 'STRAY_DOCUMENT', message: `\`${path}\` lies in no tenant's folder`, hint, path, place: null }
}

function linkOutside(path: string, target: string) {
  const message = `the link \`${path}\` leads to \`${target}\`, outside its tenant's folder`
  return { code: 'FILE_OUTSIDE_TENANT', message, hint: 'replace the link by a copy', path, place: null }
}

function linkBroken(path: string, target: string) {
  const message = `the link \`${path}\` leads to \`${target}\`, where no file is`
  return { code: 'FILE_MISSING', message, hint: 'remove the link', path, place: null }
}
