import { slugOf } from '../domain/address.ts'
import type { Drift } from '../domain/diff.ts'
import type { Address } from '../domain/ids.ts'
import { type Scope, wholeScope } from '../domain/scope.ts'
import type { Engine } from '../engine.ts'
import { findLostObjects, readActual } from '../reconciler/actual.ts'
import { preparePlan } from '../reconciler/prepare.ts'
import { receiptedState } from '../reconciler/receipted-state.ts'
import { readReceiptedAddresses } from '../store/objects.ts'
import { requireScope } from '../tenancy/actor.ts'
import { tenantIdsOf, visibleDomains } from './domains.ts'
import { type Planned, readWanted } from './plan.ts'

export interface Drifted {
  readonly address: Address
  readonly drift: Drift
}

/** Every object whose row or content disagrees with its last receipt, rows that are gone included. */
export async function findDrift(engine: Engine, tenant: string | null): Promise<Drifted[]> {
  requireScope(engine.actor, 'config:read')
  const domains = await visibleDomains(engine, tenant)
  const slugs = new Set(domains.map((domain) => domain.slug))
  const actual = await readActual(engine.database, engine.clock())
  const lost = await findLostObjects(engine.database, actual, await rowlessAddresses(engine, actual))
  const seen = [...actual.objects, ...lost].filter((object) => slugs.has(slugOf(object.address)))
  const drifted = seen.flatMap(({ address, drift }) => (drift ? [{ address, drift }] : []))
  const stray = actual.strayRows
    .filter((address) => slugs.has(slugOf(address)))
    .map((address) => ({ address, drift: 'pointer' as const }))
  return [...drifted, ...stray].sort((a, b) => (a.address < b.address ? -1 : 1))
}

/** A plan that repairs what has drifted and changes nothing else. */
export async function planHeal(engine: Engine, directory: string, scope: Omit<Scope, 'broken'>): Promise<Planned> {
  requireScope(engine.actor, 'config:read')
  const actual = await readActual(engine.database, engine.clock())
  const lost = await findLostObjects(engine.database, actual, await rowlessAddresses(engine, actual))
  const { repository } = await readWanted(engine, directory, null)
  const desired = await receiptedState(engine.database, actual, lost, repository)
  const prepared = await preparePlan(engine.database, engine.actor, desired, actual, {
    scope: { ...wholeScope, ...scope },
    destroy: false,
    refreshOnly: false,
    healAll: true,
    retry: [],
    now: engine.clock(),
  })
  // A repair has nothing to say about changes that wait.
  return { ...prepared, looksAt: () => false, desired, diagnostics: [] }
}

/** Addresses the ledger knows and no row does. */
async function rowlessAddresses(engine: Engine, actual: Awaited<ReturnType<typeof readActual>>): Promise<Address[]> {
  const tenants = tenantIdsOf([...actual.domains.values()])
  const receipted = await engine.database.asWorker(tenants, (tx) => readReceiptedAddresses(tx, tenants), {
    access: 'read only',
  })
  const rows = new Set<Address>([...actual.objects.map((object) => object.address), ...actual.tombstones.keys()])
  return receipted.filter((address) => !rows.has(address))
}
