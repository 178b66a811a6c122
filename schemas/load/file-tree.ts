/**
 * Where a configuration repository is read from: a directory, or one commit of a git repository.
 *
 * Paths are below the repository's root, with forward slashes, without `.` or `..`. Nothing here follows a symlink:
 * whoever reads the tree decides what a link may reach.
 */
export interface FileTree {
  /**
   * `fibric.yaml`, `fibric.yml` and `fibric.json` of the root and every file and symlink below `tenants/`, hidden ones
   * included, in any order. Throws only when the tree as a whole cannot be read.
   */
  list(): Promise<readonly TreeEntry[]>
  /** The bytes of a listed file. Throws when it cannot be read. */
  read(path: string): Promise<Buffer>
}

export interface TreeEntry {
  readonly path: string
  readonly kind: 'file' | 'symlink'
  /** Bytes, or null when that is not known without reading. */
  readonly size: number | null
  /**
   * Opaque: two entries with the same token have the same bytes, in whatever tree (a blob's id, or what `stat` says).
   * Null when that cannot be promised, for example for a file written a moment ago.
   */
  readonly token: string | null
  /** What a symlink points to, as written; null for a file. */
  readonly target: string | null
}

/** The largest file that is read, be it a document or what a document refers to. */
export const fileBytesMax = 8 * 1024 * 1024
