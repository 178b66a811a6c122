import { FibricError } from '../domain/errors.ts'
import type { JsonObject } from '../domain/json.ts'
import type { Engine } from '../engine.ts'
import { readActionsById } from '../store/actions.ts'
import { type ApprovalRow, readApprovals } from '../store/approvals.ts'
import type { DomainRow } from '../store/domains.ts'
import { type EffectRow, readActionsOfEvent, readEffects, readUndoing } from '../store/effects.ts'
import { readEvent, type StoredEvent } from '../store/events.ts'
import { type ExecutionPlanRow, readPlansById } from '../store/execution-plans.ts'
import { type EntryRow, readEntries, readEntriesAbout } from '../store/ledger.ts'
import { type RunRow, readRuns } from '../store/runs.ts'
import type { Transaction } from '../store/tenancy.ts'
import { requireScope } from '../tenancy/actor.ts'
import { tenantIdsOf, visibleAndGoneDomains } from './domains.ts'
import { type ShownEntry, shownEntry } from './receipts.ts'
import { modelCallsOf, type TracedModelCall } from './trace-models.ts'

/** The whole story an id is part of: event → run → plan → verdict → approval → effect → receipt. */
export interface Trace {
  readonly id: string
  readonly tenant: string
  readonly events: readonly StoredEvent[]
  readonly runs: readonly RunRow[]
  /** What models were asked for these runs, and what they answered. */
  readonly models: readonly TracedModelCall[]
  readonly plans: readonly ExecutionPlanRow[]
  readonly actions: readonly TracedAction[]
  /** Every entry about it, in the order they were written. */
  readonly entries: readonly ShownEntry[]
}

export interface TracedAction {
  readonly row: EffectRow
  readonly approvals: readonly ApprovalRow[]
}

const runsMax = 200

/** From any id of the story: an event, a run, a plan, an action, a receipt, or the correlation. */
export async function trace(engine: Engine, id: string): Promise<Trace> {
  requireScope(engine.actor, 'receipts:read')
  const domains = await visibleAndGoneDomains(engine, null)
  const tenants = tenantIdsOf(domains)
  return engine.database.asWorker(tenants, (tx) => readTrace(tx, domains, id), {
    access: 'read only',
    isolation: 'repeatable read',
  })
}

async function readTrace(tx: Transaction, domains: readonly DomainRow[], id: string): Promise<Trace> {
  const tenants = tenantIdsOf(domains)
  const [named] = await readEntries(tx, { tenants, id, limit: 1 })
  const start = named ? (aboutOf(named) ?? id) : id
  const runs = await readRuns(tx, tenants, start, runsMax)
  const direct = await readActionsById(tx, tenants, start)
  const found = await readActionsOfEvent(tx, tenants, start)
  const planned = (
    await Promise.all(runs.flatMap((run) => run.plan_id ?? []).map((plan) => readActionsById(tx, tenants, plan)))
  ).flat()
  const ids = [...new Set([...found, ...[...direct, ...planned].map((row) => row.action_id)])]
  const told = await readEffects(tx, tenants, ids)
  const undoing = await readUndoing(tx, tenants, told)
  const further = undoing.filter((each) => !ids.includes(each))
  const actions = [...told, ...(further.length === 0 ? [] : await readEffects(tx, tenants, further))]
  const eventIds = [...runs, ...actions].flatMap((each) => each.event_id ?? [])
  const events = await eventsOf(tx, tenants, [...new Set(id.startsWith('ev_') ? [id, ...eventIds] : eventIds)])
  const behind = actions.flatMap((row) => (row.effect.runId ? [String(row.effect.runId)] : []))
  const known = new Set(runs.map((run) => run.run_id))
  const more = await Promise.all(
    [...new Set(behind)].filter((run) => !known.has(run)).map((run) => readRuns(tx, tenants, run, 1)),
  )
  const allRuns = [...runs, ...more.flat()].toSorted((a, b) => (a.run_id < b.run_id ? -1 : 1))
  const plans = await readPlansById(tx, tenants, [...new Set(actions.map((row) => row.plan_id))])
  const approvals = await readApprovals(
    tx,
    tenants,
    actions.map((row) => row.action_id),
  )
  const entries = await entriesOf(tx, tenants, named ?? null, allRuns, actions)
  const owner = [...actions, ...allRuns, ...events.map(({ envelope }) => envelope), ...entries][0]?.tenant_id
  const domain = domains.find((each) => each.tenant_id === owner)
  if (!domain) {
    throw new FibricError('NOT_FOUND', `nothing is known of \`${id}\``, {
      hint: 'give the id of an event, run, plan, action or receipt, or a correlation id: fibric receipts list',
    })
  }
  return {
    id,
    tenant: domain.slug,
    events,
    runs: allRuns,
    models: await modelCallsOf(tx, allRuns),
    plans,
    actions: actions.toSorted(byTime).map((row) => ({
      row,
      approvals: approvals.filter((each) => each.action_id === row.action_id),
    })),
    entries: entries.map((row) => shownEntry(row, domain.slug)),
  }
}

async function eventsOf(
  tx: Transaction,
  tenants: DomainRow['tenant_id'][],
  ids: readonly string[],
): Promise<StoredEvent[]> {
  const events = await Promise.all(ids.map((id) => readEvent(tx, tenants, id)))
  return events.filter((event) => event !== null)
}

async function entriesOf(
  tx: Transaction,
  tenants: DomainRow['tenant_id'][],
  named: EntryRow | null,
  runs: readonly RunRow[],
  actions: readonly EffectRow[],
): Promise<EntryRow[]> {
  const ids = [
    ...actions.flatMap((row) => row.receipt_id ?? []),
    ...runs.flatMap((run) => run.entry_id ?? []),
    ...(named ? [named.entry_id] : []),
  ]
  return readEntriesAbout(
    tx,
    tenants,
    ids,
    actions.map((row) => row.action_id),
  )
}

/** The action or run an entry of the ledger is about. */
function aboutOf(entry: EntryRow): string | null {
  const body = JSON.parse(entry.bytes.toString('utf8')) as JsonObject & { readonly details?: JsonObject }
  const id = body.action_id ?? body.details?.action_id ?? body.details?.run_id
  return typeof id === 'string' ? id : null
}

function byTime(left: EffectRow, right: EffectRow): number {
  if (left.created_at !== right.created_at) return left.created_at < right.created_at ? -1 : 1
  return left.ordinal - right.ordinal
}
