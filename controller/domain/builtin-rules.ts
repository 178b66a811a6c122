import { digestJson } from './digest.ts'
import { type Address, platformTenantId } from './ids.ts'
import type { JsonObject } from './json.ts'
import type { RuleInForce, TrustRule } from './rules.ts'

/** What the product promises whatever the rules say stands here, so that verdicts and receipts can cite it. */
export const builtinPolicy = '_platform/TrustPolicy/builtin' as Address

/** In every pool. A requirement that never holds asks without granting anything. */
export const builtinRules: readonly RuleInForce[] = [
  builtinRule({
    id: 'model-high-tier',
    match: { tier: { gte: 3 }, when: 'action.proposer.model != null' },
    require: { check: 'false', otherwise: 'ALERT' },
    alert: { mode: 'hold' },
  }),
]

/**
 * Genesis: instead of the whole pool while the first plan is carried out. The caller lets through only the changes of the
 * plan whose id it kept.
 */
export const bootstrapRule: RuleInForce = builtinRule({
  id: 'bootstrap',
  match: { capability: 'config.**', connection: 'fibric' },
  decision: 'ALLOW',
})

/** The way back in after a lock-out: where it speaks every other rule is silent, and every receipt under it says so. */
export function breakGlassRule(expiresAt: string): RuleInForce {
  const rule = builtinRule({
    id: 'break-glass',
    match: { capability: 'config.**', connection: 'fibric' },
    expiresAt,
    decision: 'ALLOW',
  })
  return { ...rule, overrides: true }
}

function builtinRule(rule: TrustRule): RuleInForce {
  return {
    ruleId: rule.id,
    policy: builtinPolicy,
    owner: platformTenantId,
    commit: null,
    digest: digestJson(rule as unknown as JsonObject),
    stage: 'enforce',
    appliesTo: {},
    rule,
  }
}
