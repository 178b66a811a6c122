import {
  directoryTree,
  type FileTree,
  type LoadedRepository,
  loadRepository,
  openParseCache,
} from '../../schemas/load/index.ts'
import { digestJson } from '../domain/digest.ts'
import { FibricError } from '../domain/errors.ts'
import type { Digest } from '../domain/ids.ts'
import type { PlanSource } from '../domain/plan.ts'
import { openGit } from './git/open.ts'
import type { GitRepository } from './git/repository.ts'

/** The configuration repository as it was read: from a working directory, or at one commit. */
export interface Desired {
  readonly repository: LoadedRepository
  readonly git: GitRepository | null
  /** Digest over every desired address and digest. */
  readonly tree: Digest
  /** Where the content comes from. Asked only when something changes: telling it may read every file again. */
  provenance(): Promise<Provenance>
}

export interface Provenance {
  readonly source: PlanSource
  /** The revision to ask git about authors; null where nothing is committed. */
  readonly rev: string | null
  /** Paths whose bytes differ from what is committed. */
  readonly uncommitted: ReadonlySet<string>
}

export interface DesiredOptions {
  /** Read this revision instead of the working directory. */
  readonly ref: string | null
  /** Where parsed documents are kept; null keeps nothing. */
  readonly cacheDirectory: string | null
  /** Paths that applied objects came from. */
  readonly appliedPaths: ReadonlySet<string>
}

/** A directory inside a git repository is read as git would commit it; elsewhere as it is. */
export async function readDesired(directory: string, options: DesiredOptions): Promise<Desired> {
  const git = await openAt(directory, options.ref)
  const files = await treeOf(git, directory, options.ref)
  const cache = options.cacheDirectory === null ? null : openParseCache(options.cacheDirectory)
  const repository = await loadRepository(files, { ...(cache ? { cache } : {}), appliedPaths: options.appliedPaths })
  const tree = digestJson(repository.resources.map((resource) => [resource.address, resource.digest]))
  return { repository, git, tree, provenance: () => provenanceOf(git, tree, options.ref) }
}

/** The files of a repository as a plan would read them. */
export async function openTree(directory: string, ref: string | null): Promise<FileTree> {
  return treeOf(await openAt(directory, ref), directory, ref)
}

async function openAt(directory: string, ref: string | null): Promise<GitRepository | null> {
  const git = await openGit(directory)
  if (git || ref === null) return git
  throw new FibricError('GIT', `\`${directory}\` is in no git repository, so it has no revision \`${ref}\``, {
    hint: 'leave out --ref, or run git init',
  })
}

async function treeOf(git: GitRepository | null, directory: string, ref: string | null): Promise<FileTree> {
  if (git && ref !== null) return git.treeAt(ref)
  return git ? git.workingTree() : directoryTree(directory)
}

async function provenanceOf(git: GitRepository | null, tree: Digest, ref: string | null): Promise<Provenance> {
  if (git && ref !== null) {
    const { sha } = await git.resolve(ref)
    return { rev: sha, uncommitted: new Set(), source: { kind: 'commit', commit: sha, tree } }
  }
  const head = git ? await git.head() : null
  const uncommitted = git && head ? await git.uncommitted() : new Set<string>()
  // A directory that equals its commit is that commit; anything else is known by its tree alone.
  const commit = head && uncommitted.size === 0 ? head.sha : null
  return { rev: head?.sha ?? null, uncommitted, source: { kind: 'directory', commit, tree } }
}
