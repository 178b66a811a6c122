import type { Change } from '../domain/change.ts'
import type { Address } from '../domain/ids.ts'
import type { People } from '../domain/people.ts'
import type { Author } from '../domain/plan.ts'
import type { DesiredResource } from '../domain/resource.ts'
import type { AllowedSigner } from '../domain/ssh-signature.ts'
import type { Actor } from '../tenancy/actor.ts'
import type { ActualObject } from './actual.ts'
import type { Desired, Provenance } from './desired.ts'

/**
 * Everyone who wrote a commit on a change's files since it was last applied. What is not committed was written by who
 * applies. An unsigned author is a claim: `git:<email>`, or the User with that email.
 */
export async function findAuthors(
  desired: Desired,
  { rev, uncommitted }: Provenance,
  changes: readonly Change[],
  resources: ReadonlyMap<Address, DesiredResource>,
  applied: ReadonlyMap<Address, ActualObject>,
  people: People,
  signers: readonly AllowedSigner[],
  actor: Actor,
): Promise<Map<Address, readonly Author[]>> {
  const own: Author = { name: actor.person, email: '', signer: null, person: actor.person }
  const filesOf = (change: Change): string[] => pathsOf(change, resources, applied)
  if (!desired.git || rev === null) return new Map(changes.map((change) => [change.address, [own]]))
  const questions = changes.flatMap((change) => {
    const since = applied.get(change.addressBefore ?? change.address)?.commit ?? null
    return filesOf(change).map((path) => ({ path, since }))
  })
  const answers = await desired.git.authorsOf(questions, rev, signers)
  const byPath = new Map(answers.map((answer) => [answer.path, answer.authors]))
  return new Map(
    changes.map((change) => {
      const files = filesOf(change)
      const written = files.flatMap((path) => byPath.get(path) ?? [])
      const authors = written.map((author) => authorOf(author, people))
      if (authors.length === 0 || files.some((path) => uncommitted.has(path))) authors.push(own)
      return [change.address, distinct(authors)]
    }),
  )
}

function pathsOf(
  change: Change,
  resources: ReadonlyMap<Address, DesiredResource>,
  applied: ReadonlyMap<Address, ActualObject>,
): string[] {
  const source = resources.get(change.address)?.source
  const before = applied.get(change.addressBefore ?? change.address)?.source
  const paths = [source?.path, ...Object.keys(source?.files ?? {}), before?.path]
  return [...new Set(paths.filter((path) => typeof path === 'string'))]
}

function authorOf(author: { name: string; email: string; signer: string | null }, people: People): Author {
  const signer = author.signer as Address | null
  const claimed = people.all.find((person) => person.emails.includes(author.email))
  return { name: author.name, email: author.email, signer, person: signer ?? claimed?.address ?? `git:${author.email}` }
}

function distinct(authors: readonly Author[]): Author[] {
  return [...new Map(authors.map((author) => [`${author.person} ${author.signer ?? ''}`, author])).values()]
}
