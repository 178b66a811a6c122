import { digestBytes } from './digest.ts'
import type { Json } from './json.ts'

/** Where a poller stands: the value of the last item, and what tells items of one value apart. */
export interface PollCursor {
  readonly value: Json
  readonly tie: Json
}

/** One way through the pages of a provider, from a cursor to the end. */
export interface PollPass {
  /** The page to ask for next. */
  readonly next: string
  /** The furthest item so far: the cursor when the pass is through. */
  readonly high: PollCursor | null
  /** Whether items came in order until now: then everything up to `high` was seen. */
  readonly ascending: boolean
}

/** What a poller has to remember, stored with the events that led to it. */
export interface PollState {
  readonly cursor: PollCursor | null
  readonly pass: PollPass | null
  /** Items that the provider may bring again, by digest of their key: they were emitted. */
  readonly seen: readonly (readonly [value: Json, key: string])[]
}

export interface PollItem {
  readonly cursor: PollCursor
  readonly key: string
  readonly item: Json
  /** What was asked from, and what was answered: expressions of the payload may name both. */
  readonly asked: { readonly cursor: Json; readonly response: Json }
}

export interface PollRules {
  /** How far back each poll asks again. */
  readonly overlapMs: number
  /** Whether items of one value are told apart by a tie-break. */
  readonly tied: boolean
}

export const newPoll: PollState = { cursor: null, pass: null, seen: [] }

const seenMax = 5000

/**
 * What of a page is new, and where the poller stands after it. The cursor moves at the end of a pass, so that the order in
 * which a provider brings things loses none of them.
 */
export function takePage(
  state: PollState,
  page: { readonly items: readonly PollItem[]; readonly next: string | null },
  rules: PollRules,
): { readonly fresh: readonly PollItem[]; readonly state: PollState } {
  const floor = askedFrom(state.cursor, rules)
  const known = new Set(state.seen.map(([, key]) => key))
  const seen = [...state.seen]
  const fresh: PollItem[] = []
  let high = state.pass === null ? state.cursor : state.pass.high
  let ascending = state.pass?.ascending ?? true
  let before = state.pass?.high ?? floor
  for (const item of page.items) {
    if (before !== null && compareCursors(item.cursor, before) < 0) ascending = false
    before = item.cursor
    if (high === null || compareCursors(item.cursor, high) > 0) high = item.cursor
    if (isBehind(item.cursor, state.cursor, floor, rules)) continue
    const key = digestBytes(item.key).slice('sha256:'.length, 'sha256:'.length + 32)
    if (known.has(key)) continue
    known.add(key)
    seen.push([item.cursor.value, key])
    fresh.push(item)
  }
  const edge = askedFrom(high, rules)
  const kept = mayComeAgain(rules)
    ? seen.filter(([value]) => edge === null || compareValues(value, edge.value) >= 0).slice(-seenMax)
    : []
  const { next } = page
  if (next === null) return { fresh, state: { cursor: high, pass: null, seen: kept } }
  return { fresh, state: { cursor: state.cursor, pass: { next, high, ascending }, seen: kept } }
}

/** A page that is not there any more: from the cursor again, or from where a pass in order had come to. */
export function withoutPass(state: PollState): PollState {
  return { ...state, cursor: state.pass?.ascending ? state.pass.high : state.cursor, pass: null }
}

/** What a request is asked from: the cursor, or as far before it as the overlap says. Throws where that is no time. */
export function askedFrom(cursor: PollCursor | null, { overlapMs }: PollRules): PollCursor | null {
  if (cursor === null || overlapMs === 0) return cursor
  return { value: earlier(cursor.value, overlapMs), tie: null }
}

/** Numbers and digits by size, instants by time, other texts by code unit. */
export function compareValues(a: Json, b: Json): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b
  const [left, right] = [String(a), String(b)]
  if (/^\d+$/.test(left) && /^\d+$/.test(right)) return order(BigInt(left), BigInt(right))
  const [leftAt, rightAt] = [instantOf(left), instantOf(right)]
  if (leftAt === null || rightAt === null) return order(left, right)
  return order(leftAt.ms, rightAt.ms) || order(leftAt.fraction, rightAt.fraction)
}

function compareCursors(a: PollCursor, b: PollCursor): number {
  const byValue = compareValues(a.value, b.value)
  if (byValue !== 0 || a.tie === null || b.tie === null) return byValue
  return compareValues(a.tie, b.tie)
}

/** Items the cursor has passed. Where several may share a value, or the poll looks back, keys tell them apart instead. */
function isBehind(item: PollCursor, cursor: PollCursor | null, floor: PollCursor | null, rules: PollRules): boolean {
  if (cursor === null || floor === null) return false
  if (mayComeAgain(rules)) return compareValues(item.value, floor.value) < 0
  return compareCursors(item, cursor) <= 0
}

function mayComeAgain({ overlapMs, tied }: PollRules): boolean {
  return overlapMs > 0 || !tied
}

/** Numbers below this are seconds: in milliseconds it would be 1973. */
const secondsMax = 1e11

function earlier(value: Json, byMs: number): Json {
  if (typeof value === 'number') return value - (value < secondsMax ? byMs / 1000 : byMs)
  const text = String(value)
  if (/^\d{1,15}$/.test(text)) return String(earlier(Number(text), byMs))
  const at = instantOf(text)
  if (at === null) throw new PollError('`overlap` needs a cursor that is a time', 'CursorUnusable')
  return new Date(at.ms - byMs).toISOString().replace('.000Z', `${at.fraction === '' ? '' : `.${at.fraction}`}Z`)
}

/** Whole seconds and the digits behind them: an instant may be finer than a millisecond. */
function instantOf(text: string): { readonly ms: number; readonly fraction: string } | null {
  const match = /^(\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d)(?:\.(\d{1,12}))?(Z|z|[+-]\d\d:?\d\d)?$/.exec(text)
  if (match === null) return null
  const ms = Date.parse(`${match[1]!.replace(/[t ]/, 'T')}${(match[3] ?? 'Z').toUpperCase()}`)
  return Number.isNaN(ms) ? null : { ms, fraction: (match[2] ?? '').replace(/0+$/, '') }
}

function order<Value extends string | number | bigint>(a: Value, b: Value): number {
  return a < b ? -1 : a > b ? 1 : 0
}

/** Why a poll came to nothing: the reason and the message of a condition. */
export class PollError extends Error {
  readonly reason: 'PollFailed' | 'CursorUnusable' | 'MappingFailed'

  constructor(message: string, reason: PollError['reason'] = 'PollFailed') {
    super(message)
    this.name = 'PollError'
    this.reason = reason
  }
}
