import { kindOf } from './address.ts'
import { digestJson } from './digest.ts'
import type { Address, Digest } from './ids.ts'

/** What a change does, as capabilities name it. A heal restores what was receipted and is an update. */
export type ChangeVerb = 'create' | 'update' | 'delete'

/**
 * One object's step from what is applied to what is wanted. Its digest is its identity everywhere: approval, hold,
 * retry, receipt.
 */
export interface Change {
  readonly address: Address
  /** Where the object stands now, when the change also renames it. */
  readonly addressBefore: Address | null
  /** Generation the change replaces; 0 when the address never held an object. */
  readonly generationBefore: number
  /** Null when nothing is applied at the address. */
  readonly digestBefore: Digest | null
  /** Null for a deletion. */
  readonly digestAfter: Digest | null
}

export function changeDigest(change: Change): Digest {
  return digestJson({
    address: change.address,
    address_before: change.addressBefore,
    generation_before: change.generationBefore,
    digest_before: change.digestBefore,
    digest_after: change.digestAfter,
  })
}

export function verbOf(change: Change): ChangeVerb {
  if (change.digestAfter === null) return 'delete'
  return change.digestBefore === null ? 'create' : 'update'
}

/** A change that leaves the content as it was receipted and moves nothing: the repair of a row changed by hand. */
export function isHeal(change: Change): boolean {
  return change.digestBefore !== null && change.digestBefore === change.digestAfter && change.addressBefore === null
}

/** `config.<kind in lower case>.<create|update|delete>` */
export function capabilityOf(change: Change): string {
  return `config.${kindOf(change.address).toLowerCase()}.${verbOf(change)}`
}

/** `<address>:<generation it replaces>:<digest it leads to>`: the same step is never taken twice. */
export function idempotencyKeyOf(change: Change): string {
  return `${change.address}:${change.generationBefore}:${change.digestAfter ?? 'absent'}`
}
