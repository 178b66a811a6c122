import type { ComparableRule } from './comparable-rule.ts'
import { addDecimals, compareDecimals, type Decimal, decimalOfNumber, formatDecimal } from './decimal.ts'
import type { Answer } from './gate-subject.ts'
import { isLiteralGlob } from './glob.ts'
import { covers, disjoint } from './glob-relations.ts'
import { withinBounds, withinTier } from './matching.ts'
import type { RuleMatch } from './rules.ts'

/**
 * A region: actions for which every rule that is compared gives the same answer. Dimensions with few values are walked
 * value by value, numbers between their end points, globs by which of them match, and CEL by its answer, as if any
 * expressions could answer in any combination.
 */
export interface Region {
  /** Rules that speak, and whether for certain or by an error. */
  readonly speaking: readonly Speaking[]
  /** Null: the action has no value. */
  readonly amount: Decimal | null
  /** Answers of the expressions that were asked, by their text. */
  readonly answers: ReadonlyMap<string, Answer>
  /** What is true of its actions, for people; empty where nothing narrows them. */
  readonly where: readonly string[]
}

export interface Speaking {
  readonly rule: ComparableRule
  readonly certain: boolean
}

/** Steps of the walk before giving up. */
const stepsMax = 50_000

/**
 * Walks every region in which a changed rule may speak; elsewhere both pools say the same. `visit` ends the walk by
 * returning false. Returns false when there were too many regions to walk.
 */
export function walkRegions(rules: readonly ComparableRule[], visit: (region: Region) => boolean): boolean {
  let steps = 0
  let stopped = false
  const start: Region = {
    speaking: relevant(rules).map((rule) => ({ rule, certain: true })),
    amount: null,
    answers: new Map(),
    where: [],
  }
  descend(start, 0)
  return steps <= stepsMax

  function descend(region: Region, dimension: number): void {
    if (stopped || steps > stepsMax) return
    steps++
    if (!region.speaking.some(({ rule }) => rule.side !== 'both')) return
    if (dimension === dimensions.length) {
      descendAnswers(region)
      return
    }
    for (const option of dimensions[dimension]!(region.speaking.map(({ rule }) => rule))) {
      descend(narrowed(region, option), dimension + 1)
    }
  }

  /** Expressions last, one at a time: a rule on both sides that blocks settles the region at once. */
  function descendAnswers(region: Region): void {
    if (stopped || ++steps > stepsMax) return
    const { speaking, answers } = region
    if (!speaking.some(({ rule }) => rule.side !== 'both') || blockedOnBothSides(region)) return
    const asked = nextExpression(speaking, answers)
    if (asked === null) {
      stopped = !visit(region)
      return
    }
    for (const answer of asked.answers) {
      const answered = { ...region, answers: new Map(answers).set(asked.text, answer) }
      const option: Option = {
        ask: ({ match }) => (match.when === asked.text ? answer : 'yes'),
        where: `\`${asked.text}\` ${{ yes: 'holds', no: 'does not hold', error: 'fails' }[answer]}`,
      }
      descendAnswers(narrowed(answered, option))
    }
  }
}

/** Changed rules, and those on both sides that may speak beside one of them: of a thousand rules, usually a handful. */
function relevant(rules: readonly ComparableRule[]): readonly ComparableRule[] {
  const changed = rules.filter((rule) => rule.side !== 'both')
  return rules.filter((rule) => rule.side !== 'both' || changed.some((other) => mayMeet(rule.match, other.match)))
}

function mayMeet(left: RuleMatch, right: RuleMatch): boolean {
  const apart = (one: string | undefined, other: string | undefined) =>
    one !== undefined && other !== undefined && related(disjoint, one, other)
  if (left.connection !== undefined && right.connection !== undefined && left.connection !== right.connection) {
    return false
  }
  return !apart(left.capability, right.capability) && !apart(left.entity, right.entity)
}

interface Option {
  readonly ask: (rule: ComparableRule) => Answer
  readonly where: string | null
  readonly amount?: Decimal | null
}

type Dimension = (rules: readonly ComparableRule[]) => Option[]

function narrowed(region: Region, option: Option): Region {
  const speaking: Speaking[] = []
  for (const each of region.speaking) {
    const answer = option.ask(each.rule)
    if (answer === 'no') continue
    speaking.push(answer === 'error' && each.certain ? { rule: each.rule, certain: false } : each)
  }
  return {
    speaking,
    amount: option.amount === undefined ? region.amount : option.amount,
    answers: region.answers,
    where: option.where === null ? region.where : [...region.where, option.where],
  }
}

const dimensions: readonly Dimension[] = [
  globs('capability', ({ match }) => asList(match.capability), false),
  values(
    'connection',
    ({ match }) => asList(match.connection),
    (rules) => [...rules.flatMap(({ match }) => asList(match.connection) ?? []), null],
  ),
  globs('entity', ({ match }) => asList(match.entity), false),
  values(
    'change',
    ({ match }) => asList(match.change),
    () => ['widens', 'narrows', 'behaviour', 'neutral', 'none'],
  ),
  values(
    'proposer',
    ({ appliesTo }) => appliesTo.proposers,
    () => ['operator', 'person', 'schedule', 'reconciler', 'builtin'],
  ),
  globs('operator', ({ appliesTo }) => appliesTo.operators, true),
  globs('tenant', ({ appliesTo }) => appliesTo.tenants, false),
  globs('reseller', ({ appliesTo }) => appliesTo.resellers, true),
  globs('environment', ({ appliesTo }) => appliesTo.environments, true),
  tiers,
  amounts,
  instants,
]

/** A text that rules match by globs: one option for each consistent set of globs that match it. */
function globs(
  name: string,
  patternsOf: (rule: ComparableRule) => readonly string[] | undefined,
  nullable: boolean,
): Dimension {
  return (rules) => {
    const patterns = [...new Set(rules.flatMap((rule) => patternsOf(rule) ?? []))].sort()
    if (patterns.length === 0) return [everything]
    const options = consistentSets(patterns).map((matching): Option => option(matching))
    // No text at all is matched by no glob, `**` included.
    if (nullable) options.push(option(new Set()))
    return options
  }

  function option(matching: ReadonlySet<string>): Option {
    const where = matching.size === 0 ? `no named ${name}` : `${name} ${[...matching].join(' and ')}`
    return { ask: (rule) => oneOf(patternsOf(rule), (pattern) => matching.has(pattern)), where }
  }
}

/** Sets of globs that some text may match exactly, as far as looking at them in pairs can tell. */
function consistentSets(patterns: readonly string[]): ReadonlySet<string>[] {
  const sets: Set<string>[] = []
  decide(0, [], [])
  return sets

  function decide(index: number, matching: readonly string[], missed: readonly string[]): void {
    const pattern = patterns[index]
    if (pattern === undefined) {
      sets.push(new Set(matching))
      return
    }
    const mayMatch =
      matching.every((other) => !related(disjoint, other, pattern)) &&
      missed.every((other) => !related(covers, other, pattern))
    if (mayMatch) decide(index + 1, [...matching, pattern], missed)
    const mayMiss = pattern !== '**' && matching.every((other) => !related(covers, pattern, other))
    if (mayMiss) decide(index + 1, matching, [...missed, pattern])
  }
}

/** Literal texts need no automaton. */
function related(relation: typeof covers, left: string, right: string): boolean {
  if (isLiteralGlob(left) && isLiteralGlob(right)) return relation === covers ? left === right : left !== right
  return relation(left, right)
}

/** An attribute with few values; null stands for any other. */
function values(
  name: string,
  wantedBy: (rule: ComparableRule) => readonly string[] | undefined,
  all: (rules: readonly ComparableRule[]) => readonly (string | null)[],
): Dimension {
  return (rules) => {
    if (rules.every((rule) => isUnset(wantedBy(rule)))) return [everything]
    return [...new Set(all(rules))].map((value) => ({
      ask: (rule) => oneOf(wantedBy(rule), (wanted) => wanted === value),
      where: value === null ? `another ${name}` : `${name} ${value}`,
    }))
  }
}

function tiers(rules: readonly ComparableRule[]): Option[] {
  if (rules.every(({ match }) => match.tier === undefined)) return [everything]
  return [0, 1, 2, 3].map((tier) => ({
    ask: ({ match }) => (match.tier === undefined || withinTier(match.tier, tier) ? 'yes' : 'no'),
    where: `tier ${tier}`,
  }))
}

/** No value at all, each end point, and one amount between each two of them. */
function amounts(rules: readonly ComparableRule[]): Option[] {
  const numbers = rules.flatMap(({ match, require }) => [
    ...Object.values(match.value ?? {}),
    ...(require.maxValue === undefined ? [] : [require.maxValue]),
  ])
  if (numbers.length === 0 && rules.every(({ require }) => require.budget === undefined)) return [everything]
  const ends = numbers.map(decimalOfNumber).filter((end) => end !== null)
  ends.sort(compareDecimals)
  const points = ends.filter((end, index) => index === 0 || compareDecimals(ends[index - 1]!, end) !== 0)
  return [amountOption(null, 'no value'), ...between(points)]
}

function between(points: readonly Decimal[]): Option[] {
  const one: Decimal = { units: 1n, scale: 0 }
  const [first] = points
  const last = points.at(-1)
  if (first === undefined || last === undefined) return [amountOption(one, 'a value')]
  const options = [amountOption(addDecimals(first, { units: -1n, scale: 0 }), `value under ${formatDecimal(first)}`)]
  for (const [index, point] of points.entries()) {
    options.push(amountOption(point, `value ${formatDecimal(point)}`))
    const next = points[index + 1]
    if (next === undefined) continue
    const sum = addDecimals(point, next)
    const middle: Decimal = { units: sum.units * 5n, scale: sum.scale + 1 }
    options.push(amountOption(middle, `value between ${formatDecimal(point)} and ${formatDecimal(next)}`))
  }
  options.push(amountOption(addDecimals(last, one), `value over ${formatDecimal(last)}`))
  return options
}

function amountOption(amount: Decimal | null, where: string): Option {
  return {
    ask: ({ match }) => {
      if (match.value === undefined) return 'yes'
      if (amount === null) return 'error'
      return withinBounds(match.value, amount) ? 'yes' : 'no'
    },
    where,
    amount,
  }
}

/** Time, between the ends of the rules that expire. */
function instants(rules: readonly ComparableRule[]): Option[] {
  const ends = [...new Set(rules.map((rule) => rule.expiresAtMs))].sort((a, b) => a - b)
  if (ends.length === 1)
    return [{ ask: ({ expiresAtMs }) => (Number.isNaN(expiresAtMs) ? 'error' : 'yes'), where: null }]
  const starts = [Number.NEGATIVE_INFINITY, ...ends.filter((end) => end !== Number.POSITIVE_INFINITY)]
  return starts.map((start) => ({
    ask: ({ expiresAtMs }) => (Number.isNaN(expiresAtMs) ? 'error' : expiresAtMs > start ? 'yes' : 'no'),
    where: Number.isFinite(start) ? `from ${new Date(start).toISOString()}` : null,
  }))
}

/**
 * The next expression whose answer matters, and the answers it may have. An error is a case of its own only where it is
 * neither like no (a plain ALLOW) nor like yes (a BLOCK, a constraint).
 */
function nextExpression(
  speaking: readonly Speaking[],
  answers: ReadonlyMap<string, Answer>,
): { text: string; answers: readonly Answer[] } | null {
  const condition = speaking.map(({ rule }) => rule.match.when).find((text) => text !== undefined && !answers.has(text))
  if (condition !== undefined) {
    const users = speaking.filter(({ rule }) => rule.match.when === condition).map(({ rule }) => rule)
    // The same text as a check fails where it cannot be evaluated, which is not like yes.
    const alsoCheck = speaking.some(({ rule }) => rule.require.check === condition)
    const alike = !alsoCheck && (users.every(errorIsNo) || users.every(errorIsYes))
    return { text: condition, answers: constantAnswers(condition) ?? (alike ? ['no', 'yes'] : ['no', 'yes', 'error']) }
  }
  const check = speaking.map(({ rule }) => rule.require.check).find((text) => text !== undefined && !answers.has(text))
  return check === undefined ? null : { text: check, answers: constantAnswers(check) ?? ['no', 'yes'] }
}

function errorIsNo(rule: ComparableRule): boolean {
  return rule.decision === 'ALLOW' && Object.keys(rule.require).length === 0
}

function errorIsYes(rule: ComparableRule): boolean {
  return rule.decision === 'BLOCK' || rule.decision === null
}

function constantAnswers(text: string): readonly Answer[] | null {
  if (text.trim() === 'true') return ['yes']
  return text.trim() === 'false' ? ['no'] : null
}

/** Only rules whose own condition was answered count; the others may yet be silent. */
function blockedOnBothSides({ speaking, answers }: Region): boolean {
  return speaking.some(({ rule }) => {
    const { when } = rule.match
    return rule.side === 'both' && rule.decision === 'BLOCK' && (when === undefined || answers.has(when))
  })
}

const everything: Option = { ask: () => 'yes', where: null }

function oneOf(wanted: readonly string[] | undefined, holds: (wanted: string) => boolean): Answer {
  return isUnset(wanted) || wanted!.some(holds) ? 'yes' : 'no'
}

function isUnset(wanted: readonly string[] | undefined): boolean {
  return wanted === undefined || wanted.length === 0
}

function asList(value: string | undefined): readonly string[] | undefined {
  return value === undefined ? undefined : [value]
}
