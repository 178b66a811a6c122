import { kindOf, slugOf } from './address.ts'
import { type Change, verbOf } from './change.ts'
import { type Address, platformSlug, type Slug } from './ids.ts'
import { compareText } from './order.ts'

/**
 * The domain whose rules gate a change and whose ledger receipts it: its own, but Tenant documents belong to
 * `_platform`, so that a tenant's ledger outlives the tenant.
 */
export function ledgerSlugOf(address: Address): Slug {
  return kindOf(address) === 'Tenant' ? platformSlug : slugOf(address)
}

/**
 * The order in which a plan is carried out, given changes in dependency order: the platform's creations and updates,
 * then each tenant's changes, then the platform's deletions.
 */
export function executionOrder<C extends Change>(changes: readonly C[]): C[] {
  const platformPuts: C[] = []
  const platformDeletes: C[] = []
  const tenants = new Map<Slug, C[]>()
  for (const change of changes) {
    const slug = ledgerSlugOf(change.address)
    if (slug === platformSlug) (verbOf(change) === 'delete' ? platformDeletes : platformPuts).push(change)
    else if (tenants.has(slug)) tenants.get(slug)!.push(change)
    else tenants.set(slug, [change])
  }
  const bySlug = [...tenants].sort(([a], [b]) => compareText(a, b)).flatMap(([, own]) => own)
  return [...platformPuts, ...bySlug, ...platformDeletes]
}

/**
 * For each change, the changes of the same plan that must be applied before it: what it will refer to, the Tenant of
 * its domain, and for a deletion everything that refers to the object as it is applied now.
 */
export function prerequisites<C extends Change>(
  changes: readonly C[],
  desiredReferences: (address: Address) => readonly Address[],
  appliedReferences: (address: Address) => readonly Address[],
): Map<Address, Address[]> {
  const puts = new Set<Address>()
  for (const change of changes) if (verbOf(change) !== 'delete') puts.add(change.address)
  const after = new Map<Address, Set<Address>>(changes.map((change) => [change.address, new Set()]))
  const deletes = new Set(changes.filter((change) => verbOf(change) === 'delete').map((change) => change.address))
  for (const change of changes) {
    if (verbOf(change) !== 'delete') {
      for (const needed of [...desiredReferences(change.address), tenantDocument(change.address)]) {
        if (puts.has(needed) && needed !== change.address) after.get(change.address)!.add(needed)
      }
    }
    // Whoever refers to a doomed object now must have let go of it, or be gone itself, first.
    const held = change.addressBefore ?? change.address
    for (const target of [...appliedReferences(held), tenantDocument(held)]) {
      if (deletes.has(target) && target !== change.address) after.get(target)!.add(change.address)
    }
  }
  return new Map([...after].map(([address, needed]) => [address, [...needed].sort(compareText)]))
}

function tenantDocument(address: Address): Address {
  const slug = slugOf(address)
  return `${slug}/Tenant/${slug}` as Address
}
