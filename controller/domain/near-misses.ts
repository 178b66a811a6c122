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
  const found: Miss[] = []
  for (const rule of candidates) {
    const miss = granted ? inTheWay(rule, subject) : (missed(rule, subject) ?? inTheWay(rule, subject))
    if (miss !== null) found.push(miss)
  }
  found.sort((a, b) => {
    if (a.grants !== b.grants) return a.grants ? -1 : 1
    return a.distance - b.distance || a.rule.position - b.rule.position
  })
  return found.slice(0, limit).map(({ rule, says }) => ({ ...rule.citation, differs: says() }))
}

/** A rule and how far it is from saying otherwise; the words are made for the nearest alone. */
interface Miss {
  readonly rule: CompiledRule
  readonly distance: number
  readonly grants: boolean
  readonly says: () => string[]
}

/** Why a rule that would grant does not. */
function missed(rule: CompiledRule, subject: Subject): Miss | null {
  if (rule.decision !== 'ALLOW' && rule.decision !== 'ALERT') return null
  const differing = rule.match.filter((part) => part.ask(subject) !== 'yes')
  const expired = rule.expiresAtMs <= subject.envelope.now
  const distance = differing.length + (expired ? 1 : 0)
  if (distance === 0) return null
  const says = () => {
    const parts = differing.map((part) => part.says(subject))
    return expired ? [...parts, `it expired at ${new Date(rule.expiresAtMs).toISOString()}`] : parts
  }
  return { rule, distance, grants: true, says }
}

/** How a rule that speaks takes authority away. */
function inTheWay(rule: CompiledRule, subject: Subject): Miss | null {
  if (rule.expiresAtMs <= subject.envelope.now || matches(rule.match, subject) === 'no') return null
  const failing = rule.requirements.filter((requirement) => !requirement.holds(subject))
  const narrows = rule.decision === 'BLOCK' || rule.decision === 'ALERT'
  if (failing.length === 0 && !narrows) return null
  const says = () => {
    const parts = failing.map((requirement) => requirement.says(subject))
    const { match } = rule.inForce.rule
    if (narrows)
      parts.push(`it falls under ${match === undefined ? 'every action' : canonicalJson(match as JsonObject)}`)
    return parts
  }
  return { rule, distance: failing.length + (narrows ? 1 : 0), grants: false, says }
}
