import { engineVersion } from '../../domain/engine.ts'
import { moveAction, writeActions } from '../../store/actions.ts'
import { writeAlerts } from '../../store/alerts.ts'
import { moveConfigMark } from '../../store/config-marks.ts'
import { writeContents } from '../../store/contents.ts'
import { bumpRulesEpoch, type DomainRow } from '../../store/domains.ts'
import { writeExecutionPlan } from '../../store/execution-plans.ts'
import { appendEntries } from '../../store/ledger.ts'
import { type ObjectWrite, vacateAddress, writeObjects } from '../../store/objects.ts'
import type { Transaction } from '../../store/tenancy.ts'
import { alertsOf } from '../alerts.ts'
import type { Written } from './record.ts'
import { movesRules } from './rules-in-force.ts'
import { planIdOf, type Run } from './run.ts'
import { effectOnDomains } from './tenant-effects.ts'

/** Writes what a batch decided: content, pointers, actions and receipts, in as many statements as there are tables. */
export async function writeBatch(
  run: Run,
  tx: Transaction,
  domain: DomainRow,
  rows: readonly Written[],
  now: Date,
): Promise<void> {
  if (rows.length === 0) return
  const { tenant_id: tenant, reseller_id: reseller } = domain
  const at = now.toISOString()
  const fresh = rows.filter((row) => row.fresh)
  if (fresh.length > 0) await writePlan(run, tx, domain, now)
  await writeContents(
    tx,
    tenant,
    reseller,
    at,
    rows.flatMap((row) => row.contents),
  )
  await writeObjects(tx, tenant, reseller, at, await objectsOf(tx, domain, rows, at))
  await writeActions(
    tx,
    tenant,
    reseller,
    fresh.map((row) => row.action),
  )
  for (const row of rows) if (!row.fresh) await moveAction(tx, tenant, row.action)
  await appendEntries(
    tx,
    tenant,
    reseller,
    at,
    rows.flatMap((row) => row.receipt ?? []),
  )
  const ran = rows.filter(({ action }) => action.state === 'applied')
  await writeAlerts(
    tx,
    ran.flatMap(({ action }) => alertsOf(tenant, action.action_id, action.verdict, now)),
    at,
  )
  const applied = rows.filter((row) => row.object !== null)
  await effectOnDomains(run, tx, applied, now)
  if (applied.length === 0) return
  if (applied.some((row) => movesRules(row.change.address))) {
    await bumpRulesEpoch(tx, tenant)
    run.rules?.epochs.set(tenant, (run.rules.epochs.get(tenant) ?? 0) + 1)
  }
  await moveConfigMark(tx, tenant)
}

function writePlan(run: Run, tx: Transaction, domain: DomainRow, now: Date): Promise<void> {
  return writeExecutionPlan(tx, domain.reseller_id, engineVersion, {
    tenant_id: domain.tenant_id,
    plan_id: planIdOf(run, domain.slug, now),
    config_plan_id: run.configPlanId,
    correlation_id: run.correlationId,
    event_id: null,
    proposer: run.actor.principal,
    source: run.source,
    created_at: now.toISOString(),
  })
}

/** A renamed object keeps its id: the row it leaves becomes a tombstone of the same generation. */
async function objectsOf(
  tx: Transaction,
  domain: DomainRow,
  rows: readonly Written[],
  at: string,
): Promise<ObjectWrite[]> {
  const objects: ObjectWrite[] = []
  for (const { change, object } of rows) {
    if (!object) continue
    if (change.addressBefore === null) {
      objects.push(object)
      continue
    }
    const { generation, receiptId } = object
    const objectId = await vacateAddress(tx, domain.tenant_id, change.addressBefore, generation, receiptId, at)
    objects.push(objectId === null ? object : { ...object, objectId })
  }
  return objects
}
