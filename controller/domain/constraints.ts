import { type CounterKey, counterKey, countIn, sumIn, windowMinutes } from './counters.ts'
import { addDecimals, compareDecimals, type Decimal, decimalOfNumber, formatDecimal } from './decimal.ts'
import { parseDurationMs } from './duration.ts'
import { compileExpression } from './expression.ts'
import { ask, type Subject } from './gate-subject.ts'
import { compileHours } from './hours.ts'
import type { CountedBy, RuleInForce, RuleRequire } from './rules.ts'
import type { CountSeen } from './verdict.ts'

/** One requirement of a rule. An error counts as not held. */
export interface Requirement {
  readonly holds: (subject: Subject) => boolean
  /** Why it does not hold. */
  readonly says: (subject: Subject) => string
  readonly count: CountRequirement | null
}

/** What a rate or a budget reads. */
export interface CountRequirement {
  readonly by: CountedBy
  readonly windowMinutes: number
  readonly seen: (subject: Subject) => CountSeen
}

/** The requirements of a rule, cheap ones first. Throws when one cannot be read. */
export function compileRequire(inForce: RuleInForce): Requirement[] {
  const { maxValue, rate, budget, hours, check } = inForce.rule.require ?? {}
  const requirements: Requirement[] = []
  if (maxValue !== undefined) requirements.push(ceiling(maxValue))
  if (hours !== undefined) {
    const within = compileHours(hours)
    requirements.push({
      holds: ({ envelope }) => within(envelope.now),
      says: () =>
        `outside ${hours.from}–${hours.to} ${hours.timeZone}${hours.days ? ` (${hours.days.join(', ')})` : ''}`,
      count: null,
    })
  }
  if (rate !== undefined) requirements.push(rateLimit(inForce, rate))
  if (budget !== undefined) requirements.push(budgetLimit(inForce, budget))
  if (check !== undefined) {
    const expression = compileExpression(check)
    requirements.push({
      holds: (subject) => ask(expression, subject) === 'yes',
      says: (subject) => `${ask(expression, subject) === 'error' ? 'cannot be evaluated' : 'does not hold'}: ${check}`,
      count: null,
    })
  }
  return requirements
}

function ceiling(maxValue: number): Requirement {
  const limit = amountOf(maxValue)
  return {
    holds: ({ amount }) => amount !== null && compareDecimals(amount, limit) <= 0,
    says: ({ action }) =>
      action.value === null
        ? `the action has no value, which maxValue ${maxValue} needs`
        : `value is ${action.value.amount}, over maxValue ${maxValue}`,
    count: null,
  }
}

function rateLimit(inForce: RuleInForce, rate: NonNullable<RuleRequire['rate']>): Requirement {
  const by = rate.by ?? 'tenant'
  const minutes = windowOf(rate.per)
  const before = oncePerSubject((subject) => countIn(subject.facts, keyFor(by, subject), minutes, subject.envelope.now))
  return {
    holds: (subject) => {
      const count = before(subject)
      return count !== null && count + 1 <= rate.max
    },
    says: (subject) => `${before(subject) ?? 'an unknown number of'} actions in ${rate.per} by ${by}, of ${rate.max}`,
    count: {
      by,
      windowMinutes: minutes,
      seen: (subject) => countSeen(inForce, 'rate', by, minutes, subject, String(before(subject) ?? 'unknown'), rate),
    },
  }
}

function budgetLimit(inForce: RuleInForce, budget: NonNullable<RuleRequire['budget']>): Requirement {
  const by = budget.by ?? 'tenant'
  const minutes = windowOf(budget.per)
  const limit = amountOf(budget.max)
  const currency = budget.currency ?? null
  const before = oncePerSubject((subject) =>
    sumIn(subject.facts, keyFor(by, subject), minutes, currency, subject.envelope.now),
  )
  return {
    holds: (subject) => {
      const { amount, action } = subject
      // An amount in another currency, or none at all, cannot be counted: an error.
      if (amount === null || action.value?.currency !== currency) return false
      const sum = before(subject)
      return sum !== null && compareDecimals(addDecimals(sum, amount), limit) <= 0
    },
    says: (subject) => {
      const { action } = subject
      if (action.value === null) return `the action has no value, which a budget needs`
      if (action.value.currency !== currency) {
        return `the amount is in ${action.value.currency ?? 'no currency'}, the budget in ${currency ?? 'none'}`
      }
      const sum = before(subject)
      const spent = sum === null ? 'an unknown amount' : formatDecimal(sum)
      return `${spent} spent in ${budget.per} by ${by} and ${action.value.amount} asked, of ${budget.max}`
    },
    count: {
      by,
      windowMinutes: minutes,
      seen: (subject) => {
        const sum = before(subject)
        const seen = sum === null ? 'unknown' : formatDecimal(sum)
        return countSeen(inForce, 'budget', by, minutes, subject, seen, budget)
      },
    },
  }
}

/** A window is read by the requirement, by what the verdict records and by the reason: once is enough. */
function oncePerSubject<T>(read: (subject: Subject) => T): (subject: Subject) => T {
  let last: { readonly subject: Subject; readonly value: T } | null = null
  return (subject) => {
    if (last?.subject !== subject) last = { subject, value: read(subject) }
    return last.value
  }
}

function countSeen(
  { ruleId, policy }: RuleInForce,
  kind: CountSeen['kind'],
  by: CountedBy,
  minutes: number,
  subject: Subject,
  seen: string,
  limit: { readonly max: number; readonly currency?: string },
): CountSeen {
  return {
    rule: ruleId,
    policy,
    kind,
    by,
    by_value: keyFor(by, subject).value,
    window_minutes: minutes,
    seen,
    max: String(limit.max),
    currency: limit.currency ?? null,
  }
}

function keyFor(by: CountedBy, { action, envelope }: Subject): CounterKey {
  return counterKey(by, action, envelope)
}

function windowOf(per: string): number {
  const durationMs = parseDurationMs(per)
  if (durationMs === null) throw new Error(`\`${per}\` is no duration`)
  return windowMinutes(durationMs)
}

function amountOf(number: number): Decimal {
  const amount = decimalOfNumber(number)
  if (amount === null) throw new Error(`\`${number}\` is no amount`)
  return amount
}
