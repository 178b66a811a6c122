import type { Facts } from '../../controller/domain/counters.ts'
import { compileExpression, evaluate } from '../../controller/domain/expression.ts'
import type { RuleInForce, RuleMatch, TrustRule } from '../../controller/domain/rules.ts'
import type { GateAction, GateEnvelope } from '../../controller/domain/verdict.ts'

/**
 * The trust gate again, from the pages alone: slow, without an index, without compiled anything. The real one must give
 * the same decision, the same deciding rules and the same rules that hold.
 */
export interface ReferenceVerdict {
  readonly decision: 'ALLOW' | 'ALERT' | 'BLOCK'
  readonly rules: readonly string[]
  readonly holds: readonly string[]
}

type Three = true | false | 'error'

export function referenceGate(
  pool: readonly RuleInForce[],
  action: GateAction,
  envelope: GateEnvelope,
  facts: Facts,
): ReferenceVerdict {
  const enforced = pool.filter((rule) => rule.stage === 'enforce' && !expired(rule.rule, envelope.now))
  const speaking = enforced
    .map((rule) => ({ rule, answer: speaks(rule, action, envelope) }))
    .filter(({ answer }) => answer !== false)
  const overriding = speaking.filter(({ rule, answer }) => rule.overrides && answer === true)
  if (overriding.length > 0)
    return verdict(
      'ALLOW',
      overriding.map(({ rule }) => rule),
      [],
    )

  const failing = speaking
    .filter(({ rule }) => !requirementsHold(rule.rule, action, envelope, facts))
    .map(({ rule }) => rule)
  const failed = failing.filter((rule) => rule.rule.require?.otherwise !== 'ALERT')
  const asking = failing.filter((rule) => rule.rule.require?.otherwise === 'ALERT')
  const says = (decision: string) =>
    speaking.filter(({ rule }) => rule.rule.decision === decision).map(({ rule }) => rule)
  const certain = speaking.filter(({ answer }) => answer === true).map(({ rule }) => rule.rule.decision)
  const granted = certain.includes('ALLOW') || certain.includes('ALERT')
  const blocking = [...says('BLOCK'), ...failed]
  const alerting = [...says('ALERT'), ...asking]

  if (!granted || blocking.length > 0) return verdict('BLOCK', blocking, [])
  if (alerting.length > 0) return verdict('ALERT', alerting, alerting)
  const allowing = speaking.filter(({ rule, answer }) => rule.rule.decision === 'ALLOW' && answer === true)
  return verdict(
    'ALLOW',
    allowing.map(({ rule }) => rule),
    [],
  )
}

function verdict(decision: ReferenceVerdict['decision'], rules: readonly RuleInForce[], holds: readonly RuleInForce[]) {
  const keys = (list: readonly RuleInForce[]) =>
    [...new Set(list.map((rule) => `${rule.policy}#${rule.ruleId}`))].sort()
  return { decision, rules: keys(rules), holds: keys(holds) }
}

function expired(rule: TrustRule, nowMs: number): boolean {
  return rule.decision === 'ALLOW' && rule.expiresAt !== undefined && nowMs >= Date.parse(rule.expiresAt)
}

/** Every part must hold; one that is definitely false outweighs an error. */
function speaks(inForce: RuleInForce, action: GateAction, envelope: GateEnvelope): Three {
  const { operators, proposers } = inForce.appliesTo
  const match: RuleMatch = inForce.rule.match ?? {}
  const parts: Three[] = []
  if (operators?.length)
    parts.push(action.operator !== null && operators.some((glob) => globMatches(glob, action.operator!)))
  if (proposers?.length) parts.push(proposers.includes(action.proposer.kind))
  if (match.capability !== undefined) parts.push(globMatches(match.capability, action.capability))
  if (match.connection !== undefined) parts.push(match.connection === action.connection)
  if (match.entity !== undefined) parts.push(globMatches(match.entity, action.entity))
  if (match.change !== undefined) parts.push(match.change === action.change)
  if (match.tier !== undefined) parts.push(within(match.tier, action.tier))
  if (match.value !== undefined)
    parts.push(action.value === null ? 'error' : within(match.value, Number(action.value.amount)))
  if (match.when !== undefined) parts.push(cel(match.when, action, envelope))
  if (parts.includes(false)) return false
  return parts.includes('error') ? 'error' : true
}

function requirementsHold(rule: TrustRule, action: GateAction, envelope: GateEnvelope, facts: Facts): boolean {
  const { maxValue, rate, budget, hours, check } = rule.require ?? {}
  const amount = action.value === null ? null : Number(action.value.amount)
  if (maxValue !== undefined && !(amount !== null && amount <= maxValue)) return false
  if (rate !== undefined && countIn(rate.per, rate.by ?? 'tenant') + 1 > rate.max) return false
  if (budget !== undefined) {
    const currency = budget.currency ?? null
    if (amount === null || action.value!.currency !== currency) return false
    if (sumIn(budget.per, budget.by ?? 'tenant', currency) + amount > budget.max) return false
  }
  if (hours !== undefined) {
    const local = new Date(new Date(envelope.now).toLocaleString('en-US', { timeZone: hours.timeZone }))
    const text = `${String(local.getHours()).padStart(2, '0')}:${String(local.getMinutes()).padStart(2, '0')}`
    const names = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat']
    const today = names[local.getDay()]!
    const yesterday = names[(local.getDay() + 6) % 7]!
    const on = (day: string) => hours.days === undefined || hours.days.includes(day)
    const open =
      hours.from <= hours.to
        ? on(today) && text >= hours.from && text < hours.to
        : (on(today) && text >= hours.from) || (on(yesterday) && text < hours.to)
    if (!open) return false
  }
  return check === undefined || cel(check, action, envelope) === true

  function bucketsIn(per: string, by: string) {
    const minutes = { m: 1, h: 60, d: 1440 }[per.at(-1) as 'm' | 'h' | 'd'] * Number(per.slice(0, -1))
    const value = {
      tenant: envelope.tenant.id,
      operator: action.operator ?? `${action.proposer.kind}:${action.proposer.name}`,
      entity: action.entity,
      capability: action.capability,
    }[by as 'tenant' | 'operator' | 'entity' | 'capability']
    const first = Math.floor(envelope.now / 60_000) - minutes
    const row = Object.values(facts.counters).find(
      ({ key }) => key.capability === action.capability && key.by === by && key.value === value,
    )
    return row?.buckets.filter((bucket) => bucket.minute >= first) ?? []
  }
  function countIn(per: string, by: string): number {
    return bucketsIn(per, by).reduce((sum, bucket) => sum + bucket.count, 0)
  }
  function sumIn(per: string, by: string, currency: string | null): number {
    return bucketsIn(per, by).reduce((sum, bucket) => sum + Number(bucket.sums[currency ?? ''] ?? '0'), 0)
  }
}

function cel(source: string, action: GateAction, envelope: GateEnvelope): Three {
  try {
    const value = evaluate(compileExpression(source), {
      action: {
        capability: action.capability,
        connection: action.connection,
        entity: action.entity,
        value: action.value === null ? null : Number(action.value.amount),
        tier: action.tier,
        args: action.args,
        proposer: { ...action.proposer, model: action.model ?? null },
      },
      event: envelope.event,
      tenant: { ...envelope.tenant },
      now: new Date(envelope.now),
    })
    return typeof value === 'boolean' ? value : 'error'
  } catch {
    return 'error'
  }
}

function within(bounds: { lt?: number; lte?: number; gt?: number; gte?: number }, number: number): boolean {
  return (
    (bounds.lt === undefined || number < bounds.lt) &&
    (bounds.lte === undefined || number <= bounds.lte) &&
    (bounds.gt === undefined || number > bounds.gt) &&
    (bounds.gte === undefined || number >= bounds.gte)
  )
}

/** Segment by segment, trying every length for `**`. */
export function globMatches(pattern: string, text: string): boolean {
  // Each segment with the divider before it; `^` before the first.
  const cut = (whole: string) => {
    const parts = whole.split(/([.:/])/)
    return parts.flatMap((part, index) => (index % 2 === 0 ? [`${index === 0 ? '^' : parts[index - 1]}${part}`] : []))
  }
  return walk(cut(pattern), cut(text))

  function walk(globs: readonly string[], pieces: readonly string[]): boolean {
    const [glob, ...rest] = globs
    if (glob === undefined) return pieces.length === 0
    if (glob.slice(1) !== '**') {
      const [piece, ...others] = pieces
      return piece !== undefined && pieceMatches(glob, piece) && walk(rest, others)
    }
    if (glob[0] === '^') {
      if (rest.length === 0) return true
      // Leading: any number of segments, then the divider and what follows; without a segment the divider goes too.
      for (let taken = 1; taken < pieces.length; taken++) if (walk(rest, pieces.slice(taken))) return true
      return walk([`^${rest[0]!.slice(1)}`, ...rest.slice(1)], pieces)
    }
    if (walk(rest, pieces)) return true
    for (let taken = 1; taken <= pieces.length; taken++) {
      if (pieces[0]?.[0] === glob[0] && walk(rest, pieces.slice(taken))) return true
    }
    return false
  }

  function pieceMatches(glob: string, piece: string): boolean {
    if (glob[0] !== piece[0]) return false
    const body = glob.slice(1)
    if (body === '*') return piece.length > 1
    const source = body.replace(/[\\^$+?()[\]{}|]/g, '\\$&').replace(/\*+/g, '.*')
    return new RegExp(`^${source}$`, 's').test(piece.slice(1))
  }
}
