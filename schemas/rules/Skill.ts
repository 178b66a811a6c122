import type { JsonObject } from '../../controller/domain/json.ts'
import { type DocumentRule, problem } from './rule-kit.ts'
import { runsOnLocalAgent } from './tier-floor.ts'

export const skill: DocumentRule = (spec) => {
  if (!runsOnLocalAgent(spec) || spec.risk === undefined || spec.risk === 'high') return []
  const message = `a skill that runs on a local agent has high risk, not \`${spec.risk}\``
  return [problem('TIER_FLOOR', '/spec/risk', message, 'set `risk: high`, or leave it out')]
}

/** Undeclared risk is medium, high on a local agent; everything but low risk is confirmed by a person. */
export function completeSkill(spec: JsonObject): JsonObject {
  const risk = spec.risk ?? (runsOnLocalAgent(spec) ? 'high' : 'medium')
  return { ...spec, risk, confirm: spec.confirm ?? risk !== 'low' }
}
