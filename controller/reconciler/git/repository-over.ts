import { hash } from 'node:crypto'
import { join } from 'node:path'
import { FibricError } from '../../domain/errors.ts'
import { authorsOf } from './authors.ts'
import { parseCommit } from './commit-object.ts'
import { commitTree } from './commit-tree.ts'
import { belongsToConfiguration, pathBelow } from './configuration-files.ts'
import type { FoundRepository } from './discover.ts'
import { fileModes, type GitObjects } from './git-objects.ts'
import type { Commit, GitImplementation, GitRepository } from './repository.ts'
import { openWorkingTree } from './working-tree.ts'

/** The repository as the rest of Fibric sees it, on top of either implementation. */
export function repositoryOver(
  objects: GitObjects,
  place: FoundRepository,
  implementation: GitImplementation,
): GitRepository {
  const { workTree, prefix } = place
  const full = (path: string) => (prefix === '' ? path : `${prefix}/${path}`)
  const repository: GitRepository = {
    implementation,
    workTree,
    prefix,

    async resolve(rev) {
      const [commit] = await read([await sha(rev)])
      return commit!
    },

    async head() {
      const found = await objects.commitSha('HEAD')
      return found === null ? null : (await read([found]))[0]!
    },

    async treeAt(rev) {
      return commitTree(objects, await objects.list(await sha(rev), prefix), prefix)
    },

    workingTree: openWorking,

    async isClean(paths) {
      return (await repository.uncommitted(paths)).size === 0
    },

    async uncommitted(paths) {
      const head = await objects.commitSha('HEAD')
      const committed = head === null ? [] : await objects.list(head, prefix)
      const asked = (path: string) =>
        paths === undefined || paths.some((one) => path === one || path.startsWith(`${one}/`))
      const before = new Map(
        committed
          .filter(({ path }) => belongsToConfiguration(path, prefix) && asked(pathBelow(path, prefix)))
          .map((entry) => [pathBelow(entry.path, prefix), entry]),
      )
      const tree = await openWorking()
      const now = (await tree.list()).filter(({ path }) => asked(path))
      const differing = new Set(before.keys())
      for (const { path, target } of now) {
        const entry = before.get(path)
        differing.add(path)
        if (entry === undefined || (entry.mode === fileModes.symlink) !== (target !== null)) continue
        const bytes = target === null ? await tree.bytesToCommit(path) : Buffer.from(target)
        // What only a filter could tell is not known to be clean.
        if (bytes !== null && blobId(bytes, entry.oid.length) === entry.oid) differing.delete(path)
      }
      return differing
    },

    async authorsOf(questions, rev, signers) {
      const asked = questions.map(({ path, since }) => ({ path: full(path), since }))
      const answers = await authorsOf(objects, asked, await sha(rev), signers)
      return answers.map((answer, at) => ({ ...answer, path: questions[at]!.path }))
    },

    async authorsSince(path, since, rev, signers) {
      const [answer] = await repository.authorsOf([{ path, since }], rev, signers)
      return answer!
    },

    async isAncestor(ancestor, descendant) {
      const [older, newer] = [await objects.commitSha(ancestor), await sha(descendant)]
      return older !== null && objects.isAncestor(older, newer)
    },

    async firstParentLine(from, to) {
      return read(await objects.firstParents(from === null ? null : await sha(from), await sha(to)))
    },
  }
  return repository

  async function read(shas: readonly string[]): Promise<Commit[]> {
    const raw = await objects.commits(shas)
    return shas.map((one, at) => parseCommit(one, raw[at]!))
  }

  async function sha(rev: string): Promise<string> {
    const found = await objects.commitSha(rev)
    if (found !== null) return found
    throw new FibricError('GIT', `revision \`${rev}\` names no commit of this repository`, {
      hint: 'name a branch, a tag, a commit or `HEAD~1`; `git fetch` brings what is missing',
    })
  }

  async function openWorking() {
    if (workTree !== null) return openWorkingTree(objects, join(workTree, prefix), prefix)
    throw new FibricError('GIT', `\`${place.gitDir}\` is a bare repository: it has no working tree`, {
      hint: 'name a revision with `--ref`',
    })
  }
}

/** A blob's name: SHA-1, or SHA-256 where the repository uses that. */
function blobId(bytes: Buffer, length: number): string {
  const algorithm = length === 64 ? 'sha256' : 'sha1'
  return hash(algorithm, Buffer.concat([Buffer.from(`blob ${bytes.length}\0`), bytes]), 'hex')
}
