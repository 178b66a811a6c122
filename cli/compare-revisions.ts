import type { Address } from '../controller/domain/ids.ts'
import type { DesiredResource, ResourceContent } from '../controller/domain/resource.ts'
import type { LoadedRepository } from '../schemas/load/index.ts'

/** One resource that two revisions have otherwise. */
export interface Difference {
  readonly address: Address
  readonly change: 'added' | 'changed' | 'removed'
  /** The address it had in the older revision, where the newer one says so (`metadata.previously`). */
  readonly renamedFrom: Address | null
  readonly before: ResourceContent | null
  readonly after: ResourceContent | null
}

/** Resources by address and digest, so that where and how something is written does not count. Ordered by address. */
export async function compareRevisions(before: LoadedRepository, after: LoadedRepository): Promise<Difference[]> {
  const old = new Map<Address, DesiredResource>(before.resources.map((resource) => [resource.address, resource]))
  const now = new Set<Address>(after.resources.map(({ address }) => address))
  const found: Difference[] = []
  const renamed = new Set<Address>()
  for (const { address, digest, previously } of after.resources) {
    const isRenamed = !old.has(address) && previously !== null && old.has(previously) && !now.has(previously)
    const from = old.get(isRenamed ? previously : address)
    if (isRenamed) renamed.add(previously)
    if (from?.digest === digest && !isRenamed) continue
    found.push({
      address,
      change: from === undefined ? 'added' : 'changed',
      renamedFrom: isRenamed ? previously : null,
      before: from === undefined ? null : await before.content(from.address),
      after: await after.content(address),
    })
  }
  for (const address of old.keys()) {
    if (now.has(address) || renamed.has(address)) continue
    const content = await before.content(address)
    found.push({ address, change: 'removed', renamedFrom: null, before: content, after: null })
  }
  return found.sort((a, b) => (a.address < b.address ? -1 : 1))
}
