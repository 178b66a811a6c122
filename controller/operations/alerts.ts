import { randomBytes } from 'node:crypto'
import { FibricError } from '../domain/errors.ts'
import { mintId, type ReceiptId } from '../domain/ids.ts'
import { controlEntry } from '../domain/receipt.ts'
import type { Engine } from '../engine.ts'
import { sequenceLedger } from '../ledger/sequence.ts'
import { type AlertRow, countAlerts, markSeen, readAlerts } from '../store/alerts.ts'
import type { DomainRow } from '../store/domains.ts'
import { appendEntries } from '../store/ledger.ts'
import { requireScope } from '../tenancy/actor.ts'
import { tenantIdsOf, visibleDomains } from './domains.ts'

export type AlertInSight = AlertRow & { readonly tenant: string }

/** What ran under a rule that notifies, newest first: what nobody has seen, or everything. */
export async function listAlerts(
  engine: Engine,
  filter: { readonly tenant: string | null; readonly all: boolean },
  before: string | null,
  limit: number,
): Promise<AlertInSight[]> {
  requireScope(engine.actor, 'plans:read')
  const domains = await visibleDomains(engine, filter.tenant)
  return readIn(engine, domains, { all: filter.all, before, limit })
}

export async function countUnseenAlerts(engine: Engine): Promise<number> {
  const tenants = tenantIdsOf(await visibleDomains(engine, null))
  return engine.database.asWorker(tenants, (tx) => countAlerts(tx, tenants), { access: 'read only' })
}

/** A person saw it: it is listed no more, and the ledger says who it was. */
export async function acknowledgeAlert(engine: Engine, id: string, reason: string): Promise<AlertInSight> {
  requireScope(engine.actor, 'actions:write')
  const domains = await visibleDomains(engine, null)
  const query = { all: true, id, limit: 1 }
  const [alert] = await readIn(engine, domains, query)
  if (!alert)
    throw new FibricError('NOT_FOUND', `there is no alert \`${id}\``, { hint: 'see them with: fibric alerts list' })
  const now = engine.clock()
  const { person } = engine.actor
  const { tenant_id: tenantId } = alert
  const domain = domains.find(({ tenant_id }) => tenant_id === tenantId)!
  await engine.database.asTenant(tenantId, async (tx) => {
    if (!(await markSeen(tx, { tenant: tenantId, id, person, at: now.toISOString(), reason }))) {
      throw new FibricError('STATE_CONFLICT', `\`${id}\` was acknowledged by ${alert.seen_by ?? 'somebody'}`, {
        hint: 'see what is left: fibric alerts list',
      })
    }
    const entryId = mintId('receipt', now.getTime(), randomBytes(10)) as ReceiptId
    const details = { alert_id: id, action_id: alert.action_id, policy: alert.policy, rule: alert.rule, reason }
    const at = now.toISOString()
    const entry = controlEntry(entryId, 'control.alert.acknowledge', { tenantId, person, at, details })
    await appendEntries(tx, tenantId, domain.reseller_id, at, [entry])
  })
  await sequenceLedger(engine.database, tenantId, now.toISOString())
  const [seen] = await readIn(engine, domains, query)
  return seen!
}

async function readIn(
  engine: Engine,
  domains: readonly DomainRow[],
  query: Omit<Parameters<typeof readAlerts>[1], 'tenants'>,
): Promise<AlertInSight[]> {
  const tenants = tenantIdsOf(domains)
  const rows = await engine.database.asWorker(tenants, (tx) => readAlerts(tx, { ...query, tenants }), {
    access: 'read only',
  })
  const slugs = new Map(domains.map((domain) => [domain.tenant_id, domain.slug]))
  return rows.map((row) => ({ ...row, tenant: slugs.get(row.tenant_id)! }))
}
