import { kindOf, slugOf } from '../domain/address.ts'
import { type BacktestReport, backtest, flipsMax, type RecordedDecision } from '../domain/backtest.ts'
import type { Change } from '../domain/change.ts'
import type { ChangeContents } from '../domain/classify.ts'
import { configConnection } from '../domain/config-action.ts'
import type { Address } from '../domain/ids.ts'
import type { Pools } from '../domain/pools.ts'
import type { Verdict } from '../domain/verdict.ts'
import { readRules } from '../executor/config/rules-in-force.ts'
import { type DecisionRow, readDecisions } from '../store/actions.ts'
import type { Database } from '../store/connect.ts'
import type { Actual } from './actual.ts'
import { governingObject } from './plan.ts'

const weekMs = 7 * 24 * 60 * 60 * 1000
const decisionsMax = 5000

/**
 * What the decisions of the last seven days would have been under the rules a plan proposes; null when it changes none.
 * Each is replayed through the rules of its own domain. Decisions under `bootstrap` and `break-glass` say nothing.
 */
export async function backtestChanges(
  database: Database,
  actual: Actual,
  changes: readonly Change[],
  contents: (change: Change) => ChangeContents,
  now: Date,
): Promise<BacktestReport | null> {
  const moving = changes.filter((change) => ['TrustPolicy', 'Operator'].includes(kindOf(change.address)))
  if (!moving.some((change) => kindOf(change.address) === 'TrustPolicy')) return null
  const domains = [...actual.domains.values()]
  const tenants = domains.map((domain) => domain.tenant_id)
  const since = new Date(now.getTime() - weekMs).toISOString()
  const [rows, rules] = await database.asWorker(
    tenants,
    async (tx) =>
      [
        await readDecisions(tx, tenants, since, decisionsMax),
        await readRules(tx, false, domains, new Map(), now),
      ] as const,
    { access: 'read only', isolation: 'repeatable read' },
  )
  const proposed = rules.pools.copy()
  for (const change of moving) {
    const object = governingObject(change, contents(change).after, proposed, null)
    proposed.replace(change.address, change.addressBefore, object)
  }
  return summed([...groups(rows)].map(([place, decisions]) => replay(place, decisions, rules.pools, proposed)))
}

/** Decisions by the rules that judged them: those of a domain, or the platform's alone for Tenant documents. */
function groups(rows: readonly DecisionRow[]): Map<Address, RecordedDecision[]> {
  const byPlace = new Map<Address, RecordedDecision[]>()
  for (const row of rows) {
    const decision = recorded(row)
    if (!decision) continue
    const place = placeOf(decision)
    const group = byPlace.get(place)
    if (group) group.push(decision)
    else byPlace.set(place, [decision])
  }
  return byPlace
}

/** The address whose pool judged it: of a change its own domain's, of an effect that of the tenant it happened in. */
function placeOf({ action, envelope }: RecordedDecision): Address {
  if (action.connection !== configConnection) return `${envelope.tenant.slug}/Any/any` as Address
  const address = action.entity as Address
  return kindOf(address) === 'Tenant' ? address : (`${slugOf(address)}/Any/any` as Address)
}

function recorded(row: DecisionRow): RecordedDecision | null {
  const verdict = row.verdict as unknown as Verdict | null
  const input = row.gate_input as unknown as Omit<RecordedDecision, 'id' | 'decision'> | null
  if (!verdict || !input?.envelope) return null
  if (verdict.rules.some(({ rule }) => rule === 'bootstrap' || rule === 'break-glass')) return null
  return { ...input, id: row.action_id, decision: verdict.decision }
}

function replay(place: Address, decisions: readonly RecordedDecision[], before: Pools, after: Pools): BacktestReport {
  return backtest(decisions, before.ruleSetFor(place), after.ruleSetFor(place))
}

function summed(reports: readonly BacktestReport[]): BacktestReport {
  const total = (field: 'replayed' | 'not_replayable' | 'looser' | 'stricter' | 'differs_from_record'): number =>
    reports.reduce((sum, report) => sum + report[field], 0)
  return {
    replayed: total('replayed'),
    not_replayable: total('not_replayable'),
    looser: total('looser'),
    stricter: total('stricter'),
    differs_from_record: total('differs_from_record'),
    flips: reports.flatMap((report) => report.flips).slice(0, flipsMax),
  }
}
