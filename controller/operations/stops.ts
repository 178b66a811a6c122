import { randomBytes } from 'node:crypto'
import { FibricError } from '../domain/errors.ts'
import { mintId, type ReceiptId, type TenantId } from '../domain/ids.ts'
import { controlEntry } from '../domain/receipt.ts'
import type { Engine } from '../engine.ts'
import { sequenceLedger } from '../ledger/sequence.ts'
import type { DomainRow } from '../store/domains.ts'
import { appendEntries } from '../store/ledger.ts'
import { endStop, readStops, type StopRow, type StopScope, wakeStopped, writeStop } from '../store/stops.ts'
import { requireScope } from '../tenancy/actor.ts'
import { tenantIdsOf, visibleDomains } from './domains.ts'

/** What a stop stops: every effect of a tenant, or those of one operator, capability (a glob) or connection. */
export interface Stopped {
  readonly scope: StopScope
  /** Of a tenant nothing. */
  readonly name: string | null
}

export type StopInForce = StopRow & { readonly tenant: string }

/** Effects stop within a second, whatever the rules say: the statement that claims reads this record. */
export async function stop(engine: Engine, tenant: string, what: Stopped, reason: string): Promise<StopInForce> {
  requireScope(engine.actor, 'actions:write')
  const domain = await domainOf(engine, tenant)
  const now = engine.clock()
  const row = {
    tenant_id: domain.tenant_id,
    stop_id: mintId('stop', now.getTime(), randomBytes(10)),
    scope: what.scope,
    name: nameOf(domain, what),
    pattern: what.scope === 'capability' ? patternOf(what.name ?? '') : null,
    reason,
    person: engine.actor.person,
    created_at: now.toISOString(),
  }
  await engine.database.asTenant(domain.tenant_id, async (tx) => {
    if (!(await writeStop(tx, row))) {
      throw new FibricError('STATE_CONFLICT', `${sayStop(what, tenant)} is stopped already`, {
        hint: 'see what is stopped: fibric stop --list',
      })
    }
    const details = { stop_id: row.stop_id, scope: row.scope, name: row.name, reason }
    await note(engine, tx, domain, 'control.effect.stop', details, now)
  })
  await sequenceLedger(engine.database, domain.tenant_id, now.toISOString())
  return { ...row, ended_at: null, ended_by: null, tenant: domain.slug }
}

/** The way back; what was found stopped is looked at again at once. */
export async function start(engine: Engine, tenant: string, what: Stopped, reason: string): Promise<string> {
  requireScope(engine.actor, 'actions:write')
  const domain = await domainOf(engine, tenant)
  const now = engine.clock()
  const name = nameOf(domain, what)
  const stopId = await engine.database.asTenant(domain.tenant_id, async (tx) => {
    const place = { tenant_id: domain.tenant_id, scope: what.scope, name }
    const id = await endStop(tx, place, engine.actor.person, now.toISOString())
    if (id === null) {
      throw new FibricError('STATE_CONFLICT', `${sayStop(what, tenant)} is not stopped`, {
        hint: 'see what is stopped: fibric stop --list',
      })
    }
    await note(engine, tx, domain, 'control.effect.start', { stop_id: id, scope: what.scope, name, reason }, now)
    return id
  })
  await engine.database.asWorker([domain.tenant_id], (tx) => wakeStopped(tx, domain.tenant_id))
  await sequenceLedger(engine.database, domain.tenant_id, now.toISOString())
  return stopId
}

export async function listStops(engine: Engine, tenant: string | null): Promise<StopInForce[]> {
  requireScope(engine.actor, 'plans:read')
  const domains = await visibleDomains(engine, tenant)
  const tenants = tenantIdsOf(domains)
  const slugs = new Map(domains.map((domain) => [domain.tenant_id, domain.slug]))
  const rows = await engine.database.asWorker(tenants, (tx) => readStops(tx, tenants), { access: 'read only' })
  return rows.map((row) => ({ ...row, tenant: slugs.get(row.tenant_id)! }))
}

export function sayStop({ scope, name }: Stopped, tenant: string): string {
  return scope === 'tenant' ? `\`${tenant}\`` : `the ${scope} \`${name}\` of \`${tenant}\``
}

async function domainOf(engine: Engine, tenant: string): Promise<DomainRow> {
  const [domain] = await visibleDomains(engine, tenant)
  return domain!
}

function nameOf(domain: DomainRow, { scope, name }: Stopped): string {
  switch (scope) {
    case 'tenant':
      return domain.tenant_id
    case 'connection':
      return name!.includes('/') ? name! : `${domain.slug}/Connection/${name}`
    case 'operator':
      // Actions know their operator by its name. An address that was kept as it is would stop nothing.
      return name!.replace(`${domain.slug}/Operator/`, '')
    case 'capability':
      return name!
  }
}

/** A capability's glob as the database matches it: `*` is one segment or a part of one, `**` any number. */
function patternOf(glob: string): string {
  if (!/^[a-z0-9_*-]+(\.[a-z0-9_*-]+)*$/i.test(glob)) {
    throw new FibricError('USAGE', `\`${glob}\` is no capability`, { hint: 'write it as order.hold, order.* or **' })
  }
  const segments = glob.split('.').map((segment) => {
    if (segment === '**') return '.*'
    if (segment === '*') return '[^.]+'
    return segment.replace(/\*+/g, '[^.]*')
  })
  // Between others, `**` may stand for no segment at all.
  const body = segments
    .join('\\.')
    .replaceAll('\\..*\\.', '\\.(.*\\.)?')
    .replace(/^\.\*\\\./, '(.*\\.)?')
  return `^${body.replace(/\\\.\.\*$/, '(\\..*)?')}$`
}

async function note(
  engine: Engine,
  tx: Parameters<typeof appendEntries>[0],
  domain: DomainRow,
  kind: string,
  details: { readonly [key: string]: string },
  now: Date,
): Promise<void> {
  const id = mintId('receipt', now.getTime(), randomBytes(10)) as ReceiptId
  const at = now.toISOString()
  const tenantId: TenantId = domain.tenant_id
  const entry = controlEntry(id, kind, { tenantId, person: engine.actor.person, at, details })
  await appendEntries(tx, tenantId, domain.reseller_id, at, [entry])
}
