/**
 * What the two implementations differ in: reading objects, history and the list of working files. Everything that has
 * rules of its own (commits, authors, normalisation, cleanliness) is written once on top of this.
 *
 * Paths are relative to the top of the repository. Shas are full and exist, unless said otherwise.
 */
export interface GitObjects {
  /** Full sha of the commit a revision names; null when there is none. Ambiguity and broken objects throw. */
  commitSha(rev: string): Promise<string | null>
  /** Those of some full shas that are commits here. */
  existingCommits(shas: readonly string[]): Promise<ReadonlySet<string>>
  /** Raw commit objects, in the order asked. */
  commits(shas: readonly string[]): Promise<Buffer[]>
  /** Every entry below `prefix` of a commit's tree, folders left out. */
  list(commit: string, prefix: string): Promise<ObjectEntry[]>
  blobs(oids: readonly string[]): Promise<Buffer[]>
  isAncestor(ancestor: string, descendant: string): Promise<boolean>
  /** The first-parent line of `to` without that of `from`, oldest first. */
  firstParents(from: string | null, to: string): Promise<string[]>
  /** Commits reachable from `tips` without what all of `since` have in common, children first; everything when `since` is empty. */
  history(tips: readonly string[], since: readonly string[]): Promise<HistoryNode[]>
  /** For each commit and each of its parents (or the empty tree, for a root), which of `paths` differ. */
  differences(nodes: readonly HistoryNode[], paths: ReadonlySet<string>): Promise<Map<string, ReadonlySet<string>[]>>
  /** The commits at which a shallow clone cut history off; empty for a full one. */
  shallowCommits(): Promise<ReadonlySet<string>>
  /** Whether a directory is ignored as a whole and nothing in it tracked. */
  isIgnoredDirectory(prefix: string): Promise<boolean>
  /** The entries of the index below `prefix`, and what is there untracked and not ignored. */
  working(prefix: string): Promise<WorkingFiles>
  /** The repository's, the person's and the machine's settings; names lower case where git ignores case, last one wins. */
  settings(): Promise<ReadonlyMap<string, string>>
  /** The attributes in `attributeNames` of each path, as `.gitattributes` of the working tree set them. */
  attributes(paths: readonly string[]): Promise<Map<string, Attributes>>
}

export interface ObjectEntry {
  readonly path: string
  readonly mode: string
  readonly oid: string
}

export interface HistoryNode {
  readonly sha: string
  readonly parents: readonly string[]
}

export interface WorkingFiles {
  readonly tracked: readonly TrackedFile[]
  readonly untracked: readonly string[]
}

export interface TrackedFile extends ObjectEntry {
  /** The index speaks for the file whatever is on disk: a sparse checkout, or `assume-unchanged`. */
  readonly asInIndex: boolean
}

export const attributeNames = ['text', 'eol', 'crlf', 'filter', 'ident', 'working-tree-encoding'] as const
export type AttributeName = (typeof attributeNames)[number]
/** True for `text`, false for `-text`, a string for `text=auto`; absent when unspecified. */
export type Attributes = { readonly [name in AttributeName]?: boolean | string }

export const fileModes = { symlink: '120000', submodule: '160000' } as const
