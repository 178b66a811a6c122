import { slugOf } from './address.ts'
import { type Change, verbOf } from './change.ts'
import type { Address, Slug } from './ids.ts'

/** Why a plan is refused before anything is written. `confirmable` ones give way to the exact count of deletions. */
export interface BrakeFinding {
  readonly code: 'MASS_DELETE' | 'EMPTY_DESIRED' | 'PROTECTED' | 'LAST_APPROVER' | 'LAST_ADMIN' | 'LOCKED_OUT'
  /** The domain it concerns; null when it concerns the deployment. */
  readonly slug: Slug | null
  readonly message: string
  readonly addresses: readonly Address[]
  readonly confirmable: boolean
}

export interface BrakeSettings {
  readonly maxDeletePercent: number
  /** Fewer objects than this are never a mass deletion. */
  readonly minObjects: number
}

export interface DeletionFacts {
  readonly changes: readonly Change[]
  /** Objects applied now, whatever the plan's scope. */
  readonly applied: readonly {
    readonly address: Address
    readonly slug: Slug
    readonly kind: string
    readonly protected: boolean
  }[]
  /** Addresses deleted in the last hour by the same source. */
  readonly recentlyDeleted: readonly Address[]
  /** How many resources the repository wants; 0 is refused while anything is applied. */
  readonly desiredCount: number
}

/** Brakes on deletions: protection as applied, an empty desired set, too large a share of a domain or of a kind. */
export function judgeDeletions(facts: DeletionFacts, settings: BrakeSettings): BrakeFinding[] {
  const deleted = facts.changes.filter((change) => verbOf(change) === 'delete').map((change) => change.address)
  if (deleted.length === 0) return []
  return [
    ...protectedDeletions(deleted, facts),
    ...emptyDesired(deleted, facts),
    ...massDeletions(deleted, facts, settings),
  ]
}

function protectedDeletions(deleted: readonly Address[], facts: DeletionFacts): BrakeFinding[] {
  const protectedAddresses = new Set(facts.applied.filter((object) => object.protected).map((object) => object.address))
  return deleted
    .filter((address) => protectedAddresses.has(address))
    .map((address) => ({
      code: 'PROTECTED' as const,
      slug: slugOf(address),
      message: `\`${address}\` is protected from deletion as it was last applied`,
      addresses: [address],
      confirmable: false,
    }))
}

function emptyDesired(deleted: readonly Address[], facts: DeletionFacts): BrakeFinding[] {
  if (facts.desiredCount > 0) return []
  return [
    {
      code: 'EMPTY_DESIRED',
      slug: null,
      message: `the repository wants nothing, which would delete all ${deleted.length} objects`,
      addresses: deleted,
      confirmable: true,
    },
  ]
}

function massDeletions(deleted: readonly Address[], facts: DeletionFacts, settings: BrakeSettings): BrakeFinding[] {
  const findings: BrakeFinding[] = []
  const standing = new Set(facts.applied.map((object) => object.address))
  const gone = facts.recentlyDeleted.filter((address) => !standing.has(address))
  const judge = (group: 'domain' | 'kind', of: (address: Address) => string): void => {
    const existing = countBy([...standing, ...gone], of)
    const going = groupBy([...deleted, ...gone], of)
    const now = new Set(deleted.map(of))
    for (const [name, addresses] of going) {
      const total = existing.get(name) ?? 0
      // Deletions of the last hour count, but a group is refused only when this plan deletes from it too.
      if (!now.has(name) || total < settings.minObjects) continue
      const percent = (addresses.length / total) * 100
      if (percent <= settings.maxDeletePercent) continue
      findings.push({
        code: 'MASS_DELETE',
        slug: group === 'domain' ? (name as Slug) : null,
        message:
          `${addresses.length} of ${total} ${group === 'domain' ? `objects of \`${name}\`` : `objects of kind \`${name}\``} ` +
          `would be deleted within an hour: ${Math.floor(percent)} %, over maxDeletePercent ${settings.maxDeletePercent}`,
        addresses: addresses.slice(0, 20),
        confirmable: true,
      })
    }
  }
  judge('domain', slugOf)
  judge('kind', (address) => address.split('/')[1]!)
  return findings
}

function countBy(addresses: readonly Address[], of: (address: Address) => string): Map<string, number> {
  const counts = new Map<string, number>()
  for (const address of addresses) counts.set(of(address), (counts.get(of(address)) ?? 0) + 1)
  return counts
}

function groupBy(addresses: readonly Address[], of: (address: Address) => string): Map<string, Address[]> {
  const groups = new Map<string, Address[]>()
  for (const address of addresses) {
    const group = groups.get(of(address))
    if (group) group.push(address)
    else groups.set(of(address), [address])
  }
  return groups
}
