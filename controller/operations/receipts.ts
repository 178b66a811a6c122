import { FibricError } from '../domain/errors.ts'
import type { JsonObject } from '../domain/json.ts'
import type { Engine } from '../engine.ts'
import { type EntryRow, readEntries } from '../store/ledger.ts'
import { requireScope } from '../tenancy/actor.ts'
import { tenantIdsOf, visibleDomains } from './domains.ts'

/** A ledger entry as it was written, where it stands in its tree, and the leaf it is there. */
export interface ShownEntry {
  readonly id: string
  readonly tenant: string
  readonly kind: string
  /** Position in the domain's tree; null until it is sequenced. */
  readonly position: number | null
  readonly leaf: string
  readonly at: string
  readonly body: JsonObject
}

const pageSize = 200

/** Entries of the domains in sight, newest first: `limit` of them, or all; those before the id `from`, if one is given. */
export async function listReceipts(
  engine: Engine,
  tenant: string | null,
  limit: number | null,
  from: string | null = null,
): Promise<ShownEntry[]> {
  requireScope(engine.actor, 'receipts:read')
  const domains = await visibleDomains(engine, tenant)
  const slugs = new Map(domains.map((domain) => [domain.tenant_id, domain.slug]))
  const shown: ShownEntry[] = []
  for (let before = from; ; ) {
    const size = Math.min(pageSize, (limit ?? Number.POSITIVE_INFINITY) - shown.length)
    if (size <= 0) return shown
    const rows: EntryRow[] = await engine.database.asWorker(
      tenantIdsOf(domains),
      (tx) => readEntries(tx, { tenants: tenantIdsOf(domains), before, limit: size }),
      { access: 'read only' },
    )
    shown.push(...rows.map((row) => shownEntry(row, slugs.get(row.tenant_id)!)))
    if (rows.length < size) return shown
    before = rows.at(-1)!.entry_id
  }
}

export async function showReceipt(engine: Engine, id: string): Promise<ShownEntry> {
  requireScope(engine.actor, 'receipts:read')
  const domains = await visibleDomains(engine, null)
  const tenants = tenantIdsOf(domains)
  const [row] = await engine.database.asWorker(tenants, (tx) => readEntries(tx, { tenants, id, limit: 1 }), {
    access: 'read only',
  })
  if (!row) {
    throw new FibricError('NOT_FOUND', `there is no receipt \`${id}\``, { hint: 'see them with: fibric receipts list' })
  }
  return shownEntry(row, domains.find((domain) => domain.tenant_id === row.tenant_id)!.slug)
}

export function shownEntry(row: EntryRow, tenant: string): ShownEntry {
  return {
    id: row.entry_id,
    tenant,
    kind: row.kind,
    position: row.position,
    leaf: row.leaf.toString('hex'),
    at: row.created_at,
    body: JSON.parse(row.bytes.toString('utf8')) as JsonObject,
  }
}
