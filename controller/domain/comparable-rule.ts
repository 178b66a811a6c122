import { canonicalJson } from './canonical-json.ts'
import type { TenantId } from './ids.ts'
import type { JsonObject } from './json.ts'
import { type AppliesTo, type Decision, type RuleInForce, type RuleMatch, type RuleRequire, ruleKey } from './rules.ts'

/** On which side of a change a rule stands. */
export type Side = 'before' | 'after' | 'both'

/** A rule by what it says, whatever it is called and wherever it is written. */
export interface ComparableRule {
  readonly side: Side
  /** How reasons name it. */
  readonly key: string
  readonly owner: TenantId
  readonly appliesTo: AppliesTo
  readonly match: RuleMatch
  readonly decision: Decision | null
  readonly require: RuleRequire
  readonly alert: NonNullable<RuleInForce['rule']['alert']>
  /** Epoch milliseconds; Infinity where it does not expire. */
  readonly expiresAtMs: number
  readonly overrides: boolean
}

/**
 * The enforced rules of two pools, each once, with the side they stand on. A rule that says the same in both stands on
 * both, so renaming or moving one compares as nothing.
 */
export function comparableRules(before: readonly RuleInForce[], after: readonly RuleInForce[]): ComparableRule[] {
  const old = bySaying(before)
  const now = bySaying(after)
  const rules: ComparableRule[] = []
  for (const [saying, rule] of old) rules.push(comparable(rule, now.has(saying) ? 'both' : 'before'))
  for (const [saying, rule] of now) if (!old.has(saying)) rules.push(comparable(rule, 'after'))
  return rules
}

function bySaying(rules: readonly RuleInForce[]): Map<string, RuleInForce> {
  const found = new Map<string, RuleInForce>()
  for (const rule of rules) {
    if (rule.stage === 'shadow') continue
    const { id: _, ...says } = rule.rule
    const applies = Object.entries(rule.appliesTo).filter(([, values]) => values.length > 0)
    const parts = [says as unknown as JsonObject, Object.fromEntries(applies), rule.owner, rule.overrides ?? false]
    found.set(canonicalJson(parts), rule)
  }
  return found
}

function comparable(inForce: RuleInForce, side: Side): ComparableRule {
  const { rule, owner, appliesTo } = inForce
  return {
    side,
    key: ruleKey(inForce),
    owner,
    appliesTo,
    match: rule.match ?? {},
    decision: rule.decision ?? null,
    require: rule.require ?? {},
    alert: rule.alert ?? {},
    expiresAtMs:
      rule.decision === 'ALLOW' && rule.expiresAt !== undefined ? Date.parse(rule.expiresAt) : Number.POSITIVE_INFINITY,
    overrides: inForce.overrides === true,
  }
}
