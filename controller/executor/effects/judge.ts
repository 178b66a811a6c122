import { holdExpiryMs, holdsSatisfied } from '../../domain/approvals.ts'
import {
  type Counter,
  type CounterNeed,
  counterId,
  counterKey,
  type Facts,
  type MinuteBucket,
} from '../../domain/counters.ts'
import { addDecimals, formatDecimal, parseDecimal, zero } from '../../domain/decimal.ts'
import { countersFor, evaluate, type RuleSet } from '../../domain/gate.ts'
import type { Address, TenantId } from '../../domain/ids.ts'
import type { CountedBy } from '../../domain/rules.ts'
import type { GateAction, GateEnvelope, Verdict } from '../../domain/verdict.ts'
import type { ApprovalRow } from '../../store/approvals.ts'
import type { Count, Guard } from '../../store/claims.ts'
import type { DomainRow } from '../../store/domains.ts'
import type { MinuteRow } from '../../store/effects.ts'
import { approvalsNow } from '../config/answers.ts'
import type { RulesInForce } from '../config/run.ts'
import type { Effect } from './effect.ts'
import { proposerOfPlan } from './effect.ts'

/** An action beside the rules that judge it. */
export interface Subject {
  readonly effect: Effect
  readonly action: GateAction
  readonly envelope: GateEnvelope
  readonly rules: RuleSet
  readonly needs: readonly CounterNeed[]
}

export function subjectOf(effect: Effect, domain: DomainRow, rules: RulesInForce, nowMs: number): Subject {
  const input = effect.row.gate_input as unknown as { action: GateAction; envelope: GateEnvelope }
  const ruleSet = rules.pools.ruleSetFor(`${domain.slug}/Action/any` as Address)
  const envelope = { event: input.envelope.event, tenant: rules.pools.factsOf(domain.slug), now: nowMs }
  return { effect, action: input.action, envelope, rules: ruleSet, needs: countersFor(ruleSet, input.action, envelope) }
}

export type Judgement =
  | { readonly decision: 'go' | 'block'; readonly verdict: Verdict }
  | { readonly decision: 'hold'; readonly verdict: Verdict; readonly waits: string; readonly expiresInMs: number }

/** What the gate says of an action, its holds held against the approvals given so far. */
export function judge(
  { effect, action, envelope, rules }: Subject,
  facts: Facts,
  people: RulesInForce,
  approvals: readonly ApprovalRow[],
  approvalsExpireInMs: number,
): Judgement {
  const verdict = evaluate(rules, action, envelope, facts)
  if (verdict.decision === 'BLOCK') return { decision: 'block', verdict }
  if (verdict.decision === 'ALLOW') return { decision: 'go', verdict }
  const given = approvalsNow(approvals, verdict.holds, people)
  const proposer = proposerOfPlan(effect.row)
  const { satisfied, waiting } = holdsSatisfied(verdict.holds, given, {
    proposer: proposer.name,
    authors: [],
    signers: [],
  })
  if (satisfied) return { decision: 'go', verdict }
  const waits = waiting
    .map(
      ({ rule, have, need, because }) =>
        `rule \`${rule}\` has ${have} of ${need} approvals${because ? `, and ${because}` : ''}`,
    )
    .join('; ')
  return { decision: 'hold', verdict, waits, expiresInMs: holdExpiryMs(verdict.holds, approvalsExpireInMs) }
}

/** Rows of minutes as the counters they belong to. */
export function countersOf(rows: readonly MinuteRow[]): Map<string, Counter> {
  const counters = new Map<string, Counter>()
  for (const [id, of] of Map.groupBy(rows, (row) => `${row.tenant_id}\n${idOf(row)}`)) {
    const buckets = [...Map.groupBy(of, (row) => row.minute)].map(
      ([minute, parts]): MinuteBucket => ({
        minute,
        count: parts.reduce((sum, part) => sum + part.count, 0),
        sums: sumsOf(parts),
      }),
    )
    const { capability, dimension: by, value } = of[0]!
    counters.set(id, { key: { capability, by, value }, since: 0, buckets })
  }
  return counters
}

function sumsOf(parts: readonly MinuteRow[]): { [currency: string]: string } {
  const sums: { [currency: string]: string } = {}
  for (const { currency, total } of parts) {
    const known = sums[currency]
    sums[currency] = known === undefined ? total : formatDecimal(addDecimals(amountOf(known), amountOf(total)))
  }
  return sums
}

function amountOf(text: string) {
  return parseDecimal(text) ?? zero
}

/** The counters that rules read for an action, and nothing else: what a verdict is replayed with. */
export function factsFor({ effect, needs }: Subject, counters: ReadonlyMap<string, Counter>): Facts {
  const found: { [key: string]: Counter } = {}
  for (const need of needs) {
    const id = counterId(need)
    const counter = counters.get(`${effect.row.tenant_id}\n${id}`)
    found[id] = counter ?? {
      key: { capability: need.capability, by: need.by, value: need.value },
      since: 0,
      buckets: [],
    }
  }
  return { counters: found }
}

/** What has to be unchanged behind the lock for the verdict to be good. */
export function guardsOf({ needs }: Subject, facts: Facts, nowMs: number): Guard[] {
  const widest = new Map<string, CounterNeed>()
  for (const need of needs) {
    const id = counterId(need)
    if ((widest.get(id)?.windowMinutes ?? 0) < need.windowMinutes) widest.set(id, need)
  }
  return [...widest].map(([id, need]) => {
    const since = sinceOf(need, nowMs)
    const buckets = (facts.counters[id]?.buckets ?? []).filter((bucket) => bucket.minute >= since)
    const total = buckets
      .flatMap((bucket) => Object.values(bucket.sums))
      .reduce((sum, text) => addDecimals(sum, amountOf(text)), zero)
    return {
      capability: need.capability,
      dimension: need.by,
      value: need.value,
      since,
      count: buckets.reduce((sum, bucket) => sum + bucket.count, 0),
      total: formatDecimal(total),
    }
  })
}

/** The minutes of a counter that a rule's window covers. */
export function wantedMinutes(tenant: TenantId, need: CounterNeed, nowMs: number) {
  const { capability, by: dimension, value } = need
  return { tenant_id: tenant, capability, dimension, value, since: sinceOf(need, nowMs) }
}

function sinceOf(need: CounterNeed, nowMs: number): number {
  return Math.floor(nowMs / 60_000) - need.windowMinutes
}

/** What an effect adds to the counters: tenant, operator and capability always, the entity where a rule asks. */
export function countsOf(action: GateAction, envelope: GateEnvelope, minute: number, entity: boolean): Count[] {
  const dimensions: CountedBy[] = ['tenant', 'operator', 'capability', ...(entity ? (['entity'] as const) : [])]
  const amount = action.value === null ? null : parseDecimal(action.value.amount)
  return dimensions.map((by) => {
    const key = counterKey(by, action, envelope)
    return {
      capability: key.capability,
      dimension: by,
      value: key.value,
      minute,
      currency: action.value?.currency ?? '',
      // Only what was spent counts: a negative amount would make room that a limit does not give.
      amount: amount === null || amount.units <= 0n ? '0' : formatDecimal(amount),
    }
  })
}

function idOf(row: MinuteRow): string {
  return counterId({ capability: row.capability, by: row.dimension, value: row.value })
}
