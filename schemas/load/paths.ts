import { deploymentFiles } from './directory-tree.ts'

export const platformFolder = '_platform'

/** What a file of the repository is, by its path alone. */
export type PathRole =
  | { readonly role: 'deployment'; readonly slug: typeof platformFolder }
  | { readonly role: 'document'; readonly slug: string }
  /** Looks like a document, but lies directly below `tenants/`, in nobody's folder. */
  | { readonly role: 'stray'; readonly slug: null }
  | { readonly role: 'other'; readonly slug: string | null }

/** The path is the tenancy: whose a file is, and whether it is read for documents. */
export function roleOf(path: string): PathRole {
  if ((deploymentFiles as readonly string[]).includes(path)) return { role: 'deployment', slug: platformFolder }
  const segments = path.split('/')
  const [top, slug] = segments
  if (top !== 'tenants' || !slug) return { role: 'other', slug: null }
  const isDocument = /\.(?:ya?ml|json)$/.test(path) && !segments.some((segment) => segment.startsWith('.'))
  if (segments.length === 2) return isDocument ? { role: 'stray', slug: null } : { role: 'other', slug: null }
  return isDocument ? { role: 'document', slug } : { role: 'other', slug }
}

/** Why a folder's name cannot be the slug of a tenant; null when it can. */
export function slugProblem(
  slug: string,
): { readonly code: string; readonly message: string; readonly hint: string } | null {
  if (slug === platformFolder) return null
  if (slug.startsWith('_') || slug === 'public') {
    const hint = 'slugs that start with `_`, and `public`, belong to the platform; choose another name'
    return { code: 'SLUG_RESERVED', message: `the folder name \`${slug}\` is reserved`, hint }
  }
  if (/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(slug)) return null
  const hint = 'use lower-case letters, digits and dashes, at most 63 characters, a letter or digit at both ends'
  return { code: 'SLUG_INVALID', message: `the folder name \`${slug}\` cannot be a tenant's slug`, hint }
}

/** `path` resolved against `folder`, with `.` and `..` taken out; null when it climbs above the repository's root. */
export function resolvePath(folder: string, path: string): string | null {
  const resolved: string[] = folder === '' ? [] : folder.split('/')
  for (const segment of path.split('/')) {
    if (segment === '' || segment === '.') continue
    if (segment !== '..') resolved.push(segment)
    else if (resolved.pop() === undefined) return null
  }
  return resolved.join('/')
}

export function folderOf(path: string): string {
  const slash = path.lastIndexOf('/')
  return slash === -1 ? '' : path.slice(0, slash)
}
