import type { FileTree } from '../../../schemas/load/file-tree.ts'
import type { AllowedSigner } from '../../domain/ssh-signature.ts'

/**
 * A git repository as the reconciler sees it. It is only ever read: no command of Fibric writes a ref, an object or the
 * index. All paths are relative to the directory it was opened with, with forward slashes.
 */
export interface GitRepository {
  /** Which implementation answers: the `git` binary of this machine, or the one built in. */
  readonly implementation: GitImplementation
  /** Top of the working tree; null for a bare repository. */
  readonly workTree: string | null
  /** The opened directory below the top: `''`, or `config/prod`. */
  readonly prefix: string

  /** The commit of a branch, a tag (peeled), an unambiguous sha prefix, `HEAD`, with any number of `~n` and `^n`. */
  resolve(rev: string): Promise<Commit>
  /** The commit checked out; null while the branch has none yet. */
  head(): Promise<Commit | null>
  /** The directory at a revision; empty when that commit has no such directory. */
  treeAt(rev: string): Promise<FileTree>
  /** The directory as `git add --all` would commit it now, bytes normalised by the repository's own rules. */
  workingTree(): Promise<FileTree>
  /** Whether `workingTree()` equals the directory at `HEAD`; `paths` narrows the question to those files or folders. */
  isClean(paths?: readonly string[]): Promise<boolean>
  /** The files in which `workingTree()` and the directory at `HEAD` differ; `paths` narrows as for `isClean`. */
  uncommitted(paths?: readonly string[]): Promise<ReadonlySet<string>>
  /** Everyone who wrote a commit on each file since it was last applied: one pass, cost in proportion to the change. */
  authorsOf(questions: readonly AuthorQuestion[], rev: string, signers: readonly AllowedSigner[]): Promise<Authorship[]>
  /** `authorsOf` for one file. */
  authorsSince(path: string, since: string | null, rev: string, signers: readonly AllowedSigner[]): Promise<Authorship>
  /** Whether `ancestor` can be reached from `descendant`; a commit is its own ancestor, one that is not here nobody's. */
  isAncestor(ancestor: string, descendant: string): Promise<boolean>
  /** The commits on the first-parent line of `to` that are not on that of `from`, oldest first; all when `from` is null. */
  firstParentLine(from: string | null, to: string): Promise<Commit[]>
}

export type GitImplementation = 'binary' | 'builtin'

export interface Commit {
  readonly sha: string
  readonly tree: string
  readonly parents: readonly string[]
  readonly author: CommitPerson
  readonly committer: CommitPerson
  readonly message: string
  /** Armoured SSH or PGP signature, as written in the commit. */
  readonly signature: string | null
  /** The commit without its signature: the bytes that were signed. */
  readonly signedPayload: Buffer
}

export interface CommitPerson {
  readonly name: string
  readonly email: string
  readonly timeMs: number
}

export interface AuthorQuestion {
  readonly path: string
  /** The commit the file was last applied from; null when it never was. */
  readonly since: string | null
}

export interface Authorship {
  readonly path: string
  /** Newest commit first, one line a commit. */
  readonly authors: readonly CommitAuthor[]
  /** False in a shallow clone that ends before `since`: there may be authors nobody can see from here. */
  readonly complete: boolean
}

export interface CommitAuthor {
  /** What the commit claims; proves nothing. */
  readonly email: string
  readonly name: string
  /** The user of the allowed signer whose SSH signature on this commit verifies; null when none does. */
  readonly signer: string | null
  readonly commit: string
}
