import { compareDecimals, type Decimal, decimalOfNumber } from './decimal.ts'
import { compileExpression } from './expression.ts'
import { type Answer, ask, type Subject } from './gate-subject.ts'
import { compileGlob } from './glob.ts'
import { type Bounds, matchesAny, type RuleInForce } from './rules.ts'

/** One part of what a rule matches, with how it reads in a near miss. */
export interface MatchPart {
  readonly ask: (subject: Subject) => Answer
  readonly says: (subject: Subject) => string
}

/**
 * Everything a rule asks of an action besides capability and connection, which the index answers; cheap parts first.
 * Throws when a part cannot be read.
 */
export function compileMatch({ rule, appliesTo }: RuleInForce): MatchPart[] {
  const match = rule.match ?? {}
  const parts: MatchPart[] = []
  const { proposers, operators } = appliesTo
  if (proposers !== undefined && proposers.length > 0) {
    parts.push({
      ask: ({ action }) => answer(proposers.includes(action.proposer.kind)),
      says: ({ action }) => `proposer is \`${action.proposer.kind}\`, not one of ${proposers.join(', ')}`,
    })
  }
  if (operators !== undefined && operators.length > 0) {
    parts.push({
      ask: ({ action }) => answer(matchesAny(operators, action.operator)),
      says: ({ action }) => `operator is \`${action.operator ?? 'none'}\`, not one of ${operators.join(', ')}`,
    })
  }
  const { change, tier, value, entity, when } = match
  if (change !== undefined) {
    parts.push({
      ask: ({ action }) => answer(action.change === change),
      says: ({ action }) => `change is \`${action.change}\`, not \`${change}\``,
    })
  }
  if (tier !== undefined) {
    parts.push({
      ask: ({ action }) => answer(withinTier(tier, action.tier)),
      says: ({ action }) => `tier is ${action.tier}, not ${boundsText(tier)}`,
    })
  }
  if (value !== undefined) parts.push(valuePart(value))
  if (entity !== undefined) {
    const glob = compileGlob(entity)
    parts.push({
      ask: ({ action }) => answer(glob.matches(action.entity)),
      says: ({ action }) => `entity is \`${action.entity}\`, not \`${entity}\``,
    })
  }
  if (when !== undefined) {
    const expression = compileExpression(when)
    parts.push({
      ask: (subject) => ask(expression, subject),
      says: (subject) => `${ask(expression, subject) === 'error' ? 'cannot be evaluated' : 'does not hold'}: ${when}`,
    })
  }
  return parts
}

/** One part that is definitely false outweighs an error. */
export function matches(parts: readonly MatchPart[], subject: Subject): Answer {
  let whole: Answer = 'yes'
  for (const part of parts) {
    const answered = part.ask(subject)
    if (answered === 'no') return 'no'
    if (answered === 'error') whole = 'error'
  }
  return whole
}

export function withinBounds(bounds: Bounds, amount: Decimal): boolean {
  return boundsTest(bounds)(amount)
}

export function boundsText(bounds: Bounds): string {
  return Object.entries(bounds)
    .map(([relation, bound]) => `${relation} ${bound}`)
    .join(' and ')
}

function valuePart(bounds: Bounds): MatchPart {
  const within = boundsTest(bounds)
  return {
    // A null value that is compared is an error, not a no.
    ask: ({ amount }) => (amount === null ? 'error' : answer(within(amount))),
    says: ({ action, amount }) => {
      if (action.value === null || amount === null)
        return `the action has no value, which must be ${boundsText(bounds)}`
      return `value is ${action.value.amount}, not ${boundsText(bounds)}`
    },
  }
}

/** Reads the bounds once. Throws when one is no amount. */
function boundsTest(bounds: Bounds): (amount: Decimal) => boolean {
  const limits = (['lt', 'lte', 'gt', 'gte'] as const).flatMap((relation) => {
    const bound = bounds[relation]
    if (bound === undefined) return []
    const limit = decimalOfNumber(bound)
    if (limit === null) throw new Error(`\`${bound}\` is no amount`)
    return [{ relation, limit }]
  })
  return (amount) => limits.every(({ relation, limit }) => holds(relation, amount, limit))
}

function holds(relation: keyof Bounds, amount: Decimal, limit: Decimal): boolean {
  const order = compareDecimals(amount, limit)
  switch (relation) {
    case 'lt':
      return order < 0
    case 'lte':
      return order <= 0
    case 'gt':
      return order > 0
    case 'gte':
      return order >= 0
  }
}

export function withinTier(bounds: Bounds, tier: number): boolean {
  const { lt, lte, gt, gte } = bounds
  return (
    (lt === undefined || tier < lt) &&
    (lte === undefined || tier <= lte) &&
    (gt === undefined || tier > gt) &&
    (gte === undefined || tier >= gte)
  )
}

function answer(yes: boolean): Answer {
  return yes ? 'yes' : 'no'
}
