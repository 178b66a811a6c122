import { canonicalJson } from './canonical-json.ts'
import type { CompiledRule } from './gate-index.ts'
import type { Subject } from './gate-subject.ts'
import type { JsonObject } from './json.ts'
import { matches } from './matching.ts'
import type { NearMiss } from './verdict.ts'

export const nearMissesMax = 5

/**
 * What would have had to differ for more authority, the nearest first: without a grant, the grants that were missed by
 * the fewest parts; with one, the rules that stood in the way. Too slow for the hot path: for BLOCK and ALERT only.
 */
export function nearMisses(
  candidates: readonly CompiledRule[],
  subject: Subject,
  granted: boolean,
  limit: number = nearMissesMax,
): NearMiss[] {
  const found = candidates.flatMap((rule) => {
    const differs = granted ? inTheWay(rule, subject) : [...missed(rule, subject), ...inTheWay(rule, subject)]
    if (differs.length === 0) return []
    return [{ rule, differs, grants: rule.decision === 'ALLOW' || rule.decision === 'ALERT' }]
  })
  found.sort((a, b) => {
    if (!granted && a.grants !== b.grants) return a.grants ? -1 : 1
    return a.differs.length - b.differs.length || a.rule.position - b.rule.position
  })
  return found.slice(0, limit).map(({ rule, differs }) => ({ ...rule.citation, differs }))
}

/** Why a rule that would grant does not. */
function missed(rule: CompiledRule, subject: Subject): string[] {
  if (rule.decision !== 'ALLOW' && rule.decision !== 'ALERT') return []
  const differs = rule.match.filter((part) => part.ask(subject) !== 'yes').map((part) => part.says(subject))
  if (rule.expiresAtMs <= subject.envelope.now) {
    differs.push(`it expired at ${new Date(rule.expiresAtMs).toISOString()}`)
  }
  return differs
}

/** How a rule that speaks takes authority away. */
function inTheWay(rule: CompiledRule, subject: Subject): string[] {
  if (rule.expiresAtMs <= subject.envelope.now || matches(rule.match, subject) === 'no') return []
  const failing = rule.requirements.filter((requirement) => !requirement.holds(subject))
  const differs = failing.map((requirement) => requirement.says(subject))
  if (rule.decision === 'BLOCK' || rule.decision === 'ALERT') {
    const { match } = rule.inForce.rule
    differs.push(`it falls under ${match === undefined ? 'every action' : canonicalJson(match as JsonObject)}`)
  }
  return differs
}
