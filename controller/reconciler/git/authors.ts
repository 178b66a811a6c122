import type { AllowedSigner } from '../../domain/ssh-signature.ts'
import { verifySshSignature } from '../../domain/ssh-signature.ts'
import { parseCommit } from './commit-object.ts'
import type { GitObjects } from './git-objects.ts'
import type { AuthorQuestion, Authorship, Commit, CommitAuthor } from './repository.ts'
import { writersOf } from './writers.ts'

/** Answers all questions in one pass over history; paths are relative to the top of the repository. */
export async function authorsOf(
  objects: GitObjects,
  asked: readonly AuthorQuestion[],
  tip: string,
  signers: readonly AllowedSigner[],
): Promise<Authorship[]> {
  if (asked.length === 0) return []
  const questions = await knownSince(objects, asked)
  const since = questions.map((question) => question.since).filter((sha) => sha !== null)
  const everything = since.length < questions.length
  const history = await objects.history([...new Set([tip, ...since])], everything ? [] : since)
  const differences = await objects.differences(history, new Set(questions.map(({ path }) => path)))
  const writers = writersOf(history, differences, tip, questions)

  const shas = [...new Set(writers.flat())]
  const raw = await objects.commits(shas)
  const authors = new Map(shas.map((sha, at) => [sha, authorOf(parseCommit(sha, raw[at]!), signers)]))
  const shallow = await objects.shallowCommits()
  const complete = !history.some(({ sha }) => shallow.has(sha))
  return asked.map(({ path }, at) => ({ path, complete, authors: writers[at]!.map((sha) => authors.get(sha)!) }))
}

/** A commit that is gone (history was rewritten) proves nothing about who wrote before it: everyone in history counts. */
async function knownSince(objects: GitObjects, questions: readonly AuthorQuestion[]): Promise<AuthorQuestion[]> {
  const known = await objects.existingCommits(questions.flatMap(({ since }) => since ?? []))
  return questions.map(({ path, since }) => ({ path, since: since !== null && known.has(since) ? since : null }))
}

function authorOf(commit: Commit, signers: readonly AllowedSigner[]): CommitAuthor {
  const verified =
    commit.signature === null
      ? null
      : verifySshSignature({
          armored: commit.signature,
          message: commit.signedPayload,
          namespace: 'git',
          signers,
          // As git does: a key is judged by when the commit says it was made.
          atMs: commit.committer.timeMs,
        })
  return { email: commit.author.email, name: commit.author.name, signer: verified?.user ?? null, commit: commit.sha }
}
