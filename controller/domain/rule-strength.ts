import type { ComparableRule, Side } from './comparable-rule.ts'
import { windowMinutes } from './counters.ts'
import { compareDecimals, decimalOfNumber } from './decimal.ts'
import { parseDurationMs } from './duration.ts'
import { openMinutes } from './hours.ts'
import type { Region, Speaking } from './regions.ts'
import type { CountedBy, RuleRequire } from './rules.ts'

/** What one side's rules make of the actions of a region. */
export interface Standing {
  readonly blocked: boolean
  /** Requirements whose answer the region does not know; one that does not hold blocks. */
  readonly blocking: readonly OpenRequirement[]
  readonly holds: readonly Hold[]
  /** Requirements whose answer the region does not know; one that does not hold asks. */
  readonly asking: readonly { readonly requirement: OpenRequirement; readonly hold: Hold }[]
}

type OpenRequirement =
  | { readonly kind: 'rate'; readonly rate: NonNullable<RuleRequire['rate']> }
  | { readonly kind: 'budget'; readonly budget: NonNullable<RuleRequire['budget']> }
  | { readonly kind: 'hours'; readonly hours: NonNullable<RuleRequire['hours']> }

interface Hold {
  readonly owner: string
  readonly role: string | null
  readonly quorum: number
  readonly mode: 'hold' | 'notify'
  readonly separateFrom: readonly string[]
  readonly expiresInMs: number
  readonly signed: boolean
}

/** What the rules of one side say in a region. `defaultHoldMs` is how long a hold waits that does not say. */
export function standingOf(region: Region, side: Exclude<Side, 'both'>, defaultHoldMs: number): Standing {
  const speaking = region.speaking.filter(({ rule }) => rule.side === side || rule.side === 'both')
  if (speaking.some(({ rule, certain }) => rule.overrides && certain)) return open
  if (!speaking.some(grants) || speaking.some(({ rule }) => rule.decision === 'BLOCK')) return closed
  const blocking: OpenRequirement[] = []
  const holds: Hold[] = []
  const asking: { requirement: OpenRequirement; hold: Hold }[] = []
  for (const { rule } of speaking) {
    const hold = holdOf(rule, defaultHoldMs)
    if (rule.decision === 'ALERT') holds.push(hold)
    const asks = rule.require.otherwise === 'ALERT'
    if (failsForCertain(rule, region)) {
      if (!asks) return closed
      holds.push(hold)
    }
    for (const requirement of openRequirements(rule.require, region)) {
      if (asks) asking.push({ requirement, hold })
      else blocking.push(requirement)
    }
  }
  return { blocked: false, blocking, holds, asking }
}

/** Whether `after` can be shown to let nothing through that `before` did not, and to ask for no less. */
export function isAtMost(after: Standing, before: Standing): boolean {
  if (after.blocked) return true
  if (before.blocked) return false
  return (
    before.blocking.every((old) => after.blocking.some((now) => atLeastAsStrict(now, old))) &&
    before.holds.every((old) => after.holds.some((now) => holdsAtLeast(now, old))) &&
    before.asking.every(
      (old) =>
        after.holds.some((now) => holdsAtLeast(now, old.hold)) ||
        after.blocking.some((now) => atLeastAsStrict(now, old.requirement)) ||
        after.asking.some(
          (now) => atLeastAsStrict(now.requirement, old.requirement) && holdsAtLeast(now.hold, old.hold),
        ),
    )
  )
}

/** A standing in a few words. */
export function saysStanding({ blocked, blocking, holds, asking }: Standing): string {
  if (blocked) return 'BLOCK'
  const limits = blocking.map(saysRequirement)
  const asks = [
    ...holds.map(saysHold),
    ...asking.map(({ requirement, hold }) => `${saysHold(hold)} beyond ${saysRequirement(requirement)}`),
  ]
  const decision = holds.length > 0 ? 'ALERT' : 'ALLOW'
  return [decision, ...new Set([...asks, ...limits])].join(', ')
}

const closed: Standing = { blocked: true, blocking: [], holds: [], asking: [] }
const open: Standing = { blocked: false, blocking: [], holds: [], asking: [] }

function grants({ rule, certain }: Speaking): boolean {
  return certain && (rule.decision === 'ALLOW' || rule.decision === 'ALERT')
}

function failsForCertain({ require }: ComparableRule, { amount, answers }: Region): boolean {
  const { maxValue, budget, check } = require
  if (maxValue !== undefined && (amount === null || compareDecimals(amount, decimalOfNumber(maxValue) ?? amount) > 0)) {
    return true
  }
  if (budget !== undefined && amount === null) return true
  return check !== undefined && answers.get(check) !== 'yes'
}

function openRequirements({ rate, budget, hours }: RuleRequire, { amount }: Region): OpenRequirement[] {
  const found: OpenRequirement[] = []
  if (rate !== undefined) found.push({ kind: 'rate', rate })
  if (budget !== undefined && amount !== null) found.push({ kind: 'budget', budget })
  if (hours !== undefined) found.push({ kind: 'hours', hours })
  return found
}

/** Whether `now` cannot hold where `old` does not. */
function atLeastAsStrict(now: OpenRequirement, old: OpenRequirement): boolean {
  if (now.kind === 'rate' && old.kind === 'rate') return tighter(now.rate, old.rate)
  if (now.kind === 'budget' && old.kind === 'budget') {
    return now.budget.currency === old.budget.currency && tighter(now.budget, old.budget)
  }
  if (now.kind === 'hours' && old.kind === 'hours') {
    if (now.hours.timeZone !== old.hours.timeZone) return false
    const before = openMinutes(old.hours)
    return openMinutes(now.hours).every((open, minute) => open === 0 || before[minute] === 1)
  }
  return false
}

interface Windowed {
  readonly max: number
  readonly per: string
  readonly by?: CountedBy
}

function tighter(now: Windowed, old: Windowed): boolean {
  const [nowMs, oldMs] = [parseDurationMs(now.per), parseDurationMs(old.per)]
  if (nowMs === null || oldMs === null) return false
  return now.max <= old.max && windowMinutes(nowMs) >= windowMinutes(oldMs) && countsAtLeast(now.by, old.by)
}

/** Counts are per capability anyway, so those of the tenant and of the capability are the same, and the largest. */
function countsAtLeast(now: CountedBy = 'tenant', old: CountedBy = 'tenant'): boolean {
  return now === 'tenant' || now === 'capability' || now === old
}

function holdOf({ alert, owner }: ComparableRule, defaultHoldMs: number): Hold {
  return {
    owner,
    role: alert.approvers?.role ?? null,
    quorum: alert.approvers?.quorum ?? 1,
    mode: alert.mode ?? 'hold',
    separateFrom: alert.separateFrom ?? ['proposer', 'author'],
    expiresInMs: alert.expiresIn === undefined ? defaultHoldMs : (parseDurationMs(alert.expiresIn) ?? defaultHoldMs),
    signed: alert.signed ?? false,
  }
}

function holdsAtLeast(now: Hold, old: Hold): boolean {
  if (old.mode === 'notify') {
    return now.mode === 'hold' || (now.owner === old.owner && now.role === old.role)
  }
  return (
    now.mode === 'hold' &&
    now.owner === old.owner &&
    now.role === old.role &&
    now.quorum >= old.quorum &&
    now.expiresInMs <= old.expiresInMs &&
    old.separateFrom.every((whom) => now.separateFrom.includes(whom)) &&
    (now.signed || !old.signed)
  )
}

function saysHold({ mode, role, quorum, separateFrom, signed }: Hold): string {
  if (mode === 'notify') return 'notify'
  const who = `${quorum} of ${role === null ? 'whoever may approve' : `role ${role}`}`
  return `${who}${signed ? ', signed' : ''}${separateFrom.length === 0 ? ', by anyone' : ''}`
}

function saysRequirement(requirement: OpenRequirement): string {
  switch (requirement.kind) {
    case 'rate':
      return `at most ${requirement.rate.max} per ${requirement.rate.per} by ${requirement.rate.by ?? 'tenant'}`
    case 'budget': {
      const { max, currency, per, by = 'tenant' } = requirement.budget
      return `at most ${max}${currency ? ` ${currency}` : ''} per ${per} by ${by}`
    }
    case 'hours':
      return `${requirement.hours.from}–${requirement.hours.to} ${requirement.hours.timeZone}`
  }
}
