import { addDecimals, type Decimal, formatDecimal, parseDecimal, sumOfTexts, zero } from './decimal.ts'
import type { CountedBy } from './rules.ts'
import type { GateAction, GateEnvelope, Verdict } from './verdict.ts'

/** Names one row of counts in a domain. */
export interface CounterKey {
  readonly capability: string
  readonly by: CountedBy
  /** The tenant's id, the operator (or who proposes without one), the entity key, the capability. */
  readonly value: string
}

/** One row: what happened, minute by minute. It belongs to history, not to a rule. */
export interface Counter {
  readonly key: CounterKey
  /** Epoch minute from which the row is complete; 0 for a live row. */
  readonly since: number
  readonly buckets: readonly MinuteBucket[]
}

export interface MinuteBucket {
  /** Epoch minute. */
  readonly minute: number
  readonly count: number
  /** Sums of amounts by currency, as decimal text; bare numbers stand under ''. */
  readonly sums: { readonly [currency: string]: string }
}

/** What the gate knows about the past. A row that is not there counts zero, unless the facts are `partial`. */
export interface Facts {
  readonly counters: { readonly [key: string]: Counter }
  /** Recorded facts hold only what was seen then: a row that is missing is unknown, not zero. */
  readonly partial?: boolean
}

export const noFacts: Facts = { counters: {} }

/** A row and how far back it is asked for. */
export interface CounterNeed extends CounterKey {
  readonly windowMinutes: number
}

export function counterId(key: CounterKey): string {
  return `${key.capability}\n${key.by}\n${key.value}`
}

export function counterKey(by: CountedBy, action: GateAction, envelope: GateEnvelope): CounterKey {
  return { capability: action.capability, by, value: countedValue(by, action, envelope) }
}

/** Windows slide by whole minutes and never see less than they say: the minute they begin in counts in full. */
export function windowMinutes(durationMs: number): number {
  return Math.max(1, Math.ceil(durationMs / 60_000))
}

/** How many actions a window holds before this one; null when the facts do not reach back that far. */
export function countIn(facts: Facts, key: CounterKey, minutes: number, nowMs: number): number | null {
  const buckets = bucketsIn(facts, key, minutes, nowMs)
  if (buckets === null) return null
  const first = Math.floor(nowMs / 60_000) - minutes
  let count = 0
  for (const bucket of buckets) if (bucket.minute >= first) count += bucket.count
  return count
}

/** What a window's amounts in one currency (null: bare numbers) sum to before this action; null as in `countIn`. */
export function sumIn(
  facts: Facts,
  key: CounterKey,
  minutes: number,
  currency: string | null,
  nowMs: number,
): Decimal | null {
  const buckets = bucketsIn(facts, key, minutes, nowMs)
  if (buckets === null) return null
  const first = Math.floor(nowMs / 60_000) - minutes
  const texts: string[] = []
  for (const bucket of buckets) {
    const amount = bucket.minute >= first ? bucket.sums[currency ?? ''] : undefined
    if (amount !== undefined) texts.push(amount)
  }
  return sumOfTexts(texts)
}

function bucketsIn(facts: Facts, key: CounterKey, minutes: number, nowMs: number): readonly MinuteBucket[] | null {
  const counter = facts.counters[counterId(key)]
  if (counter === undefined) return facts.partial === true ? null : []
  return counter.since > Math.floor(nowMs / 60_000) - minutes ? null : counter.buckets
}

/**
 * The facts after an action was let through, so that the next of a batch is judged with it. What is blocked or held
 * counts nothing. `needs` are the rows that some rule reads (`countersFor`).
 */
export function consume(
  facts: Facts,
  needs: readonly CounterNeed[],
  action: GateAction,
  envelope: GateEnvelope,
  verdict: Verdict,
): Facts {
  if (verdict.decision === 'BLOCK' || verdict.holds.some((hold) => hold.mode === 'hold')) return facts
  const minute = Math.floor(envelope.now / 60_000)
  const counters = { ...facts.counters }
  const fed = new Set<string>()
  for (const need of needs) {
    const id = counterId(need)
    if (fed.has(id)) continue
    fed.add(id)
    const { capability, by, value } = need
    const counter = counters[id] ?? { key: { capability, by, value }, since: 0, buckets: [] }
    counters[id] = { ...counter, buckets: counted(counter.buckets, minute, action) }
  }
  return { ...facts, counters }
}

function counted(buckets: readonly MinuteBucket[], minute: number, action: GateAction): MinuteBucket[] {
  const bucket = buckets.find((each) => each.minute === minute) ?? { minute, count: 0, sums: {} }
  const others = buckets.filter((each) => each.minute !== minute)
  return [...others, { minute, count: bucket.count + 1, sums: added(bucket.sums, action) }]
}

/** Only what was spent counts: a negative amount would make room that a limit does not give. */
function added(sums: MinuteBucket['sums'], action: GateAction): MinuteBucket['sums'] {
  const amount = action.value === null ? null : parseDecimal(action.value.amount)
  if (amount === null || amount.units <= 0n) return sums
  const currency = action.value?.currency ?? ''
  const before = parseDecimal(sums[currency] ?? '0') ?? zero
  return { ...sums, [currency]: formatDecimal(addDecimals(before, amount)) }
}

function countedValue(by: CountedBy, action: GateAction, envelope: GateEnvelope): string {
  switch (by) {
    case 'tenant':
      return envelope.tenant.id
    case 'operator':
      return action.operator ?? `${action.proposer.kind}:${action.proposer.name}`
    case 'entity':
      return action.entity
    case 'capability':
      return action.capability
  }
}
