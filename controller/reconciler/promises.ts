import { kindInfo } from '../../schemas/index.ts'
import { kindOf } from '../domain/address.ts'
import { canonicalJson } from '../domain/canonical-json.ts'
import { type Change, verbOf } from '../domain/change.ts'
import type { ChangeContents } from '../domain/classify.ts'
import { FibricError } from '../domain/errors.ts'
import type { Address, Digest } from '../domain/ids.ts'
import type { ResourceContent } from '../domain/resource.ts'
import type { Scope } from '../domain/scope.ts'
import type { Database } from '../store/connect.ts'
import { readFormerDigests } from '../store/objects.ts'
import { type Actual, readApplied, tenantOf } from './actual.ts'
import type { PlanOutline } from './plan.ts'

/**
 * What is applied and stays refers to nothing that goes. Validation sees to that for the whole repository; a plan that
 * looks at a part of it may meet objects of another part. In the loop, where domains are held back, such a deletion
 * waits for them.
 */
export function withoutReferenced(outline: PlanOutline, actual: Actual, scope: Scope): PlanOutline {
  const going = new Set(outline.changes.filter((change) => verbOf(change) === 'delete').map(({ address }) => address))
  if (going.size === 0) return outline
  const leaving = new Set(outline.changes.flatMap(({ addressBefore }) => addressBefore ?? []))
  const referrers = new Map<Address, Address>()
  for (const { address, references } of actual.objects) {
    if (going.has(address) || leaving.has(address)) continue
    const kept = outline.desired.get(address)?.references ?? references
    for (const reference of kept) if (going.has(reference)) referrers.set(reference, address)
  }
  if (referrers.size === 0) return outline
  if (scope.broken.length > 0) {
    return {
      ...outline,
      changes: outline.changes.filter(({ address }) => !going.has(address) || !referrers.has(address)),
    }
  }
  const [[doomed, referrer]] = [...referrers] as [[Address, Address]]
  throw new FibricError('STILL_REFERENCED', `\`${doomed}\` cannot be deleted: \`${referrer}\` refers to it`, {
    hint: 'delete or change what refers to it in the same plan',
    details: { referrers: Object.fromEntries(referrers) },
  })
}

/** A published version never changes, under any rule, and never comes back with other content. */
export async function refuseChangedVersions(
  database: Database,
  actual: Actual,
  changes: readonly Change[],
  contents: (change: Change) => ChangeContents,
): Promise<void> {
  const versions = changes.filter(
    (change) => kindInfo(kindOf(change.address))?.versioned && verbOf(change) !== 'delete',
  )
  if (versions.length === 0) return
  const former = await formerContents(database, actual, versions)
  const changed = versions.filter((change) => {
    const { before, after } = contents(change)
    const published = before ?? former.get(change.address) ?? null
    return published !== null && canonicalJson(published.spec) !== canonicalJson(after?.spec)
  })
  if (changed.length === 0) return
  const names = changed.map((change) => `\`${change.address}\``).join(', ')
  throw new FibricError('VERSION_IMMUTABLE', `a published version never changes: ${names}`, {
    hint: 'publish the change under a new version',
    details: { addresses: changed.map((change) => change.address) },
  })
}

/** What stood at addresses that hold nothing now. */
async function formerContents(
  database: Database,
  actual: Actual,
  changes: readonly Change[],
): Promise<Map<Address, ResourceContent>> {
  const places = changes.flatMap(({ address }) => {
    const tenantId = tenantOf(actual, address)
    return actual.tombstones.has(address) && tenantId !== null ? [{ tenantId, address }] : []
  })
  if (places.length === 0) return new Map()
  const tenants = [...new Set(places.map((place) => place.tenantId))]
  const rows = await database.asWorker(tenants, (tx) => readFormerDigests(tx, places), { access: 'read only' })
  const stored: ReadonlyMap<Digest, ResourceContent> = await readApplied(
    database,
    rows.map((row) => ({ tenantId: row.tenant_id, digest: row.digest })),
  )
  return new Map(rows.flatMap(({ address, digest }) => (stored.has(digest) ? [[address, stored.get(digest)!]] : [])))
}
