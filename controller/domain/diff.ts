import { type Change, verbOf } from './change.ts'
import type { Address, Digest, Slug } from './ids.ts'
import { orderChanges } from './order.ts'
import type { DesiredResource } from './resource.ts'

/** An object as it is applied, by what its last receipt says. */
export interface AppliedObject {
  readonly address: Address
  readonly slug: Slug
  readonly kind: string
  readonly generation: number
  /** Digest of the receipted content. */
  readonly digest: Digest
  readonly references: readonly Address[]
  /** The row, or the content it points to, disagrees with the receipt; null when all is well. */
  readonly drift: Drift | null
}

export type Drift =
  | 'pointer' // the row names another generation or digest than its last receipt
  | 'content' // the content is gone, or its bytes do not hash to its digest
  | 'missing' // the row is gone, and the last receipt says that it should be there

export interface DiffInput {
  readonly desired: readonly DesiredResource[]
  readonly applied: readonly AppliedObject[]
  /** Generation reached at addresses that hold no object now: a re-created object goes on counting. */
  readonly tombstones: ReadonlyMap<Address, number>
  /** Whether drift of an object of this domain is repaired (`heal`) or only reported. */
  readonly heals: (object: AppliedObject) => boolean
}

/**
 * Desired against applied, as changes in the order in which they can be carried out.
 *
 * `metadata.previously` is a rename while the old address is applied and the new one is not; later it is ignored.
 */
export function diffResources(input: DiffInput): Change[] {
  const applied = new Map(input.applied.map((object) => [object.address, object]))
  const desired = new Map(input.desired.map((resource) => [resource.address, resource]))
  const renamed = findRenames(input.desired, applied, desired)
  const generationAt = (address: Address): number =>
    applied.get(address)?.generation ?? input.tombstones.get(address) ?? 0

  const changes: Change[] = []
  for (const resource of input.desired) {
    const from = renamed.get(resource.address) ?? null
    const before = applied.get(from ?? resource.address)
    if (before && from === null && before.digest === resource.digest && !(before.drift && input.heals(before))) continue
    changes.push({
      address: resource.address,
      addressBefore: from,
      // A renamed object counts on from the higher of the two, so that no idempotency key of either comes back.
      generationBefore:
        from === null ? generationAt(resource.address) : Math.max(before!.generation, generationAt(resource.address)),
      digestBefore: before?.digest ?? null,
      digestAfter: resource.digest,
    })
  }
  const leaving = new Set(renamed.values())
  for (const object of input.applied) {
    if (desired.has(object.address) || leaving.has(object.address)) continue
    changes.push({
      address: object.address,
      addressBefore: null,
      generationBefore: object.generation,
      digestBefore: object.digest,
      digestAfter: null,
    })
  }
  return orderChanges(changes, (change) => {
    if (verbOf(change) === 'delete') return applied.get(change.address)?.references ?? []
    return desired.get(change.address)?.references ?? []
  })
}

/** New address → old address, for every `previously` that still counts. The first claimant of an old address has it. */
function findRenames(
  resources: readonly DesiredResource[],
  applied: ReadonlyMap<Address, AppliedObject>,
  desired: ReadonlyMap<Address, DesiredResource>,
): Map<Address, Address> {
  const renamed = new Map<Address, Address>()
  const taken = new Set<Address>()
  for (const resource of resources) {
    const old = resource.previously
    if (old === null || !applied.has(old) || applied.has(resource.address)) continue
    if (desired.has(old) || taken.has(old)) continue
    renamed.set(resource.address, old)
    taken.add(old)
  }
  return renamed
}
