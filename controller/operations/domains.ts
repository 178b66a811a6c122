import { FibricError } from '../domain/errors.ts'
import type { Slug, TenantId } from '../domain/ids.ts'
import type { Engine } from '../engine.ts'
import { type DomainRow, readDeletedDomains, readDomain, readDomains } from '../store/domains.ts'

/** The domains an actor may look at: all of them, or their own; narrowed to one where `slug` names it. */
export async function visibleDomains(engine: Engine, slug: string | null): Promise<DomainRow[]> {
  const { tenantId } = engine.actor
  const visible = await engine.database.asWorker(
    [],
    // A credential of one tenant costs one row, however many tenants there are.
    async (tx) =>
      tenantId === null ? readDomains(tx) : [await readDomain(tx, tenantId)].filter((row) => row !== null),
    { access: 'read only' },
  )
  if (slug === null) return visible
  const named = visible.filter((domain) => domain.slug === (slug as Slug))
  if (named.length > 0) return named
  throw new FibricError('NOT_FOUND', `there is no tenant \`${slug}\` here`, {
    hint: 'see them with: fibric get Tenant',
  })
}

/** With those whose Tenant is gone, for whoever administers them all: what is left of them is theirs to settle. */
export async function visibleAndGoneDomains(engine: Engine, slug: string | null): Promise<DomainRow[]> {
  const visible = await visibleDomains(engine, slug)
  if (slug !== null || engine.actor.tenantId !== null) return visible
  const gone = await engine.database.asWorker([], readDeletedDomains, { access: 'read only' })
  return [...visible, ...gone]
}

export function tenantIdsOf(domains: readonly DomainRow[]): TenantId[] {
  return domains.map((domain) => domain.tenant_id)
}
