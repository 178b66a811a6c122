import type { Facts } from './counters.ts'
import type { CompiledRule, RuleSet } from './gate-index.ts'
import { type Answer, type Subject, subjectOf } from './gate-subject.ts'
import { matches } from './matching.ts'
import { nearMisses } from './near-misses.ts'
import type { Decision } from './rules.ts'
import type { CountSeen, GateAction, GateEnvelope, Hold, ShadowVerdict, Verdict } from './verdict.ts'

export { compileRules, countersFor, type RuleSet } from './gate-index.ts'

/**
 * Judges one action by a pool of rules. Pure and total: the same inputs give the same verdict in any order of the rules,
 * and whatever cannot be read or evaluated ends in less authority, never in more.
 *
 * - Only an ALLOW or ALERT whose match certainly holds grants. Without a grant: BLOCK.
 * - A BLOCK that speaks, or a requirement that does not hold: BLOCK; with `otherwise: ALERT` it asks instead.
 * - An ALERT that speaks: ALERT. Else ALLOW.
 * - An error in a match speaks for narrowing only: a BLOCK blocks, an ALERT asks and a requirement binds, but nothing is
 *   granted.
 */
export function evaluate(rules: RuleSet, action: GateAction, envelope: GateEnvelope, facts: Facts): Verdict {
  try {
    if (rules.problems.length > 0) return unjudged(rules, action, `rules cannot be read: ${rules.problems[0]}`)
    if (rules.size === 0) return unjudged(rules, action, 'no rules are in force')
    return judge(rules, subjectOf(action, envelope, facts))
  } catch (error) {
    return unjudged(rules, action, `the gate failed: ${(error as Error).message}`)
  }
}

/** What the rules that speak for an action say, each kind in the order of the rules. */
interface Heard {
  readonly allowing: CompiledRule[]
  readonly alerting: CompiledRule[]
  readonly blocking: CompiledRule[]
  /** Rules with a requirement that does not hold, and whether it asks or blocks. */
  readonly failing: CompiledRule[]
  readonly asking: CompiledRule[]
  reasons: Map<CompiledRule, string> | null
  readonly counts: CountSeen[]
  granted: boolean
}

function judge(rules: RuleSet, subject: Subject): Verdict {
  const { enforced, shadow } = rules.candidates(subject.action)
  const heard = listen(enforced, subject)
  if (heard === null) return overridden(rules, enforced, subject)
  const decision = decide(heard)
  const decisive = decisiveRules(decision, heard)
  return {
    decision,
    tier: subject.action.tier,
    rules: decisive.map((rule) => rule.citation),
    reasons: reasonsOf(decision, decisive, heard),
    near_misses: decision === 'ALLOW' ? [] : nearMisses(enforced, subject, heard.granted),
    shadow: shadow.length === 0 ? [] : shadowVerdicts(shadow, subject, heard.counts),
    policy_digest: rules.digest,
    holds: decision === 'ALERT' ? holdsOf(decisive) : [],
    counts: heard.counts,
  }
}

/** Asks every candidate; null when one that overrides the pool speaks. */
function listen(candidates: readonly CompiledRule[], subject: Subject): Heard | null {
  const heard: Heard = {
    allowing: [],
    alerting: [],
    blocking: [],
    failing: [],
    asking: [],
    reasons: null,
    counts: [],
    granted: false,
  }
  for (const rule of candidates) {
    if (rule.expiresAtMs <= subject.envelope.now) continue
    const answer = matches(rule.match, subject)
    if (answer === 'no') continue
    if (rule.overrides && answer === 'yes') return null
    hear(rule, answer, subject, heard)
  }
  return heard
}

function hear(rule: CompiledRule, answer: Answer, subject: Subject, heard: Heard): void {
  if (rule.requirements.length > 0 && !meetsRequirements(rule, subject, heard)) {
    ;(rule.otherwise === 'BLOCK' ? heard.failing : heard.asking).push(rule)
  }
  switch (rule.decision) {
    case 'ALLOW':
      if (answer === 'yes') heard.allowing.push(rule)
      break
    case 'ALERT':
      heard.alerting.push(rule)
      break
    case 'BLOCK':
      heard.blocking.push(rule)
      break
    case null:
      return
  }
  if (answer === 'yes' && rule.decision !== 'BLOCK') heard.granted = true
}

function meetsRequirements(rule: CompiledRule, subject: Subject, heard: Heard): boolean {
  let met = true
  for (const requirement of rule.requirements) {
    if (requirement.count !== null) heard.counts.push(requirement.count.seen(subject))
    if (requirement.holds(subject)) continue
    heard.reasons ??= new Map()
    if (met) heard.reasons.set(rule, requirement.says(subject))
    met = false
  }
  return met
}

function decide(heard: Heard): Decision {
  if (!heard.granted || heard.blocking.length > 0 || heard.failing.length > 0) return 'BLOCK'
  return heard.alerting.length > 0 || heard.asking.length > 0 ? 'ALERT' : 'ALLOW'
}

function decisiveRules(decision: Decision, heard: Heard): readonly CompiledRule[] {
  switch (decision) {
    case 'BLOCK':
      return together(heard.blocking, heard.failing)
    case 'ALERT':
      return together(heard.alerting, heard.asking)
    case 'ALLOW':
      return heard.allowing
  }
}

/** Two lists as one without repeats, in the order of the rules. */
function together(left: readonly CompiledRule[], right: readonly CompiledRule[]): readonly CompiledRule[] {
  if (right.length === 0) return left
  if (left.length === 0) return right
  return [...new Set([...left, ...right])].sort((a, b) => a.position - b.position)
}

function reasonsOf(decision: Decision, decisive: readonly CompiledRule[], heard: Heard): string[] {
  const reasons = decisive.map((rule) => {
    const why = decision === 'ALLOW' ? undefined : heard.reasons?.get(rule)
    return why === undefined ? rule.says[decision] : `${rule.key}: ${why}`
  })
  return heard.granted ? reasons : ['no rule allows it', ...reasons]
}

function holdsOf(rules: readonly CompiledRule[]): Hold[] {
  return rules.map((rule) => rule.hold)
}

/** What each rule in `shadow` would have said, were it asked alone; its counts are recorded so that it can be promoted. */
function shadowVerdicts(shadow: readonly CompiledRule[], subject: Subject, counts: CountSeen[]): ShadowVerdict[] {
  return shadow.flatMap((rule) => {
    const heard = listen([rule], subject)
    if (heard === null) return []
    counts.push(...heard.counts)
    const said = saidAlone(heard)
    return said === null ? [] : [{ ...rule.citation, decision: said }]
  })
}

function saidAlone(heard: Heard): Decision | null {
  if (heard.blocking.length > 0 || heard.failing.length > 0) return 'BLOCK'
  if (heard.alerting.length > 0 || heard.asking.length > 0) return 'ALERT'
  return heard.allowing.length > 0 ? 'ALLOW' : null
}

function overridden(rules: RuleSet, candidates: readonly CompiledRule[], subject: Subject): Verdict {
  const speaking = candidates.filter(
    (rule) => rule.overrides && rule.expiresAtMs > subject.envelope.now && matches(rule.match, subject) === 'yes',
  )
  return {
    ...plain(rules, subject.action, 'ALLOW'),
    rules: speaking.map((rule) => rule.citation),
    reasons: speaking.map((rule) => `${rule.key} overrides every other rule`),
  }
}

function unjudged(rules: RuleSet, action: GateAction, reason: string): Verdict {
  return { ...plain(rules, action, 'BLOCK'), reasons: [reason] }
}

function plain(rules: RuleSet, action: GateAction, decision: Decision): Verdict {
  return {
    decision,
    tier: action.tier,
    rules: [],
    reasons: [],
    near_misses: [],
    shadow: [],
    policy_digest: rules.digest,
    holds: [],
    counts: [],
  }
}
