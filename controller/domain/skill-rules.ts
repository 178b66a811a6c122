import type { JsonObject } from './json.ts'
import type { PolicyFacts, RuleInForce, TrustRule } from './rules.ts'

/**
 * What a Skill says of a model's proposals of its capability: the built-in rules of governed-execution.md, section 4, as
 * they read for this skill, so that a verdict cites the document that forbids it. They only narrow: a skill that says
 * nothing grants nothing. A skill of `_platform` speaks in every tenant.
 */
export function rulesOfSkill(skill: PolicyFacts, spec: JsonObject): RuleInForce[] {
  const { address, owner, commit, digest } = skill
  return ruleTexts(spec).map((rule) => ({
    ruleId: rule.id,
    policy: address,
    owner,
    commit,
    digest,
    stage: 'enforce',
    appliesTo: {},
    rule,
  }))
}

const byModel = 'action.proposer.model != null'

/** The ratings that reach a minimum; every model reaches `all`. */
const reaching: { readonly [minimum: string]: readonly string[] } = { standard: ['standard', 'high'], high: ['high'] }

function ruleTexts(spec: JsonObject): TrustRule[] {
  const capability = String(spec.capability)
  const rules: TrustRule[] = []
  if (spec.aiCallable !== true) {
    rules.push({ id: 'ai-callable', match: { capability, when: byModel }, decision: 'BLOCK' })
  }
  const enough = typeof spec.minModelRating === 'string' ? reaching[spec.minModelRating] : undefined
  if (enough) {
    // A rating is a text or null, and a null that is not in a list is no error.
    const rated = `action.proposer.rating in [${enough.map((rating) => `'${rating}'`).join(', ')}]`
    rules.push({ id: 'min-model-rating', match: { capability, when: `${byModel} && !(${rated})` }, decision: 'BLOCK' })
  }
  if (spec.confirm === true) {
    // A requirement that never holds asks without granting anything.
    rules.push({
      id: 'confirm',
      match: { capability, when: byModel },
      require: { check: 'false', otherwise: 'ALERT' },
      alert: { mode: 'hold' },
    })
  }
  return rules
}
