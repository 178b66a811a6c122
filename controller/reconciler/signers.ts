import { formatAddress } from '../domain/address.ts'
import { platformSlug } from '../domain/ids.ts'
import type { JsonObject } from '../domain/json.ts'
import type { People } from '../domain/people.ts'
import type { AllowedSigner } from '../domain/ssh-signature.ts'

/** Whose signatures count: the keys of applied Users, and the signers the applied Deployment lists. */
export function allowedSigners(people: People, listed: readonly JsonObject[]): AllowedSigner[] {
  const own = people.all.flatMap((person) =>
    person.signingKeys.map((key) => ({ user: person.address as string, key, fromMs: null, untilMs: null })),
  )
  return [...own, ...listed.flatMap(signerOf)]
}

function signerOf(signer: JsonObject): AllowedSigner[] {
  const { user, key, from, until } = signer
  if (typeof user !== 'string' || typeof key !== 'string') return []
  // A signer of the Deployment is a User of the platform: one person, however their signature is known.
  const address = user.includes('/') ? user : formatAddress(platformSlug, 'User', user)
  return [{ user: address, key, fromMs: momentMs(from), untilMs: momentMs(until) }]
}

function momentMs(value: unknown): number | null {
  return typeof value === 'string' ? Date.parse(value) : null
}
