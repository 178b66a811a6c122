import { FibricError } from '../domain/errors.ts'
import { platformSlug, platformTenantId, type Slug, type TenantId } from '../domain/ids.ts'
import type { JsonObject } from '../domain/json.ts'
import type { ResourceContent } from '../domain/resource.ts'
import type { Engine } from '../engine.ts'
import type { DomainRow } from '../store/domains.ts'
import { readReceipted } from '../store/objects.ts'
import { requireScope } from '../tenancy/actor.ts'
import { visibleDomains } from './domains.ts'

export interface ShownTenant {
  readonly id: TenantId
  readonly slug: Slug
  /** Id of its ledger: all that a proof shows of it. */
  readonly ledgerId: string
  /** What its Tenant document says, as receipted; null for the governance domain. */
  readonly spec: JsonObject | null
}

/** The tenants in sight, by slug. */
export async function listTenants(engine: Engine): Promise<ShownTenant[]> {
  requireScope(engine.actor, 'config:read')
  return readTenants(engine, await visibleDomains(engine, null))
}

/** The one named: its own for a key of a tenant, the governance domain where nothing is said. */
export async function showTenant(engine: Engine, slug: string | null): Promise<ShownTenant> {
  requireScope(engine.actor, 'config:read')
  const named = slug ?? (engine.actor.tenantId === null ? platformSlug : null)
  const [tenant] = await readTenants(engine, await visibleDomains(engine, named))
  if (tenant) return tenant
  throw new FibricError('NOT_FOUND', 'the tenant of this key is gone')
}

async function readTenants(engine: Engine, domains: readonly DomainRow[]): Promise<ShownTenant[]> {
  const rows = await engine.database.asWorker(
    [platformTenantId],
    (tx) => readReceipted(tx, [platformTenantId], ['Tenant']),
    { access: 'read only' },
  )
  const bytes = new Map<string, Buffer | null>(rows.map((row) => [row.address, row.bytes]))
  return domains.map(({ tenant_id: id, slug, ledger_id: ledgerId }) => {
    const document = bytes.get(`${slug}/Tenant/${slug}`)
    const spec = document ? (JSON.parse(document.toString('utf8')) as ResourceContent).spec : null
    return { id, slug, ledgerId, spec }
  })
}
