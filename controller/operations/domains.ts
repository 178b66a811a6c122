import { FibricError } from '../domain/errors.ts'
import type { Slug, TenantId } from '../domain/ids.ts'
import type { Engine } from '../engine.ts'
import { type DomainRow, readDomains } from '../store/domains.ts'

/** The domains an actor may look at: all of them, or their own; narrowed to one where `slug` names it. */
export async function visibleDomains(engine: Engine, slug: string | null): Promise<DomainRow[]> {
  const all = await engine.database.asWorker([], readDomains, { access: 'read only' })
  const { tenantId } = engine.actor
  const visible = all.filter((domain) => tenantId === null || domain.tenant_id === tenantId)
  if (slug === null) return visible
  const named = visible.filter((domain) => domain.slug === (slug as Slug))
  if (named.length > 0) return named
  throw new FibricError('NOT_FOUND', `there is no tenant \`${slug}\` here`, {
    hint: 'see them with: fibric get Tenant',
  })
}

export function tenantIdsOf(domains: readonly DomainRow[]): TenantId[] {
  return domains.map((domain) => domain.tenant_id)
}
