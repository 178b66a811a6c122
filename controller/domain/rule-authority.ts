import { type AuthorityEffect, type AuthorityReason, effectOf } from './authority.ts'
import { comparableRules } from './comparable-rule.ts'
import { type Region, walkRegions } from './regions.ts'
import { isAtMost, saysStanding, standingOf } from './rule-strength.ts'
import type { RuleInForce } from './rules.ts'

/** What a change of the rules does to authority. */
export interface RuleSetAuthority {
  readonly effect: AuthorityEffect
  readonly reasons: readonly AuthorityReason[]
  /** It counts as widening only because it could not be shown not to widen. */
  readonly unproven: boolean
}

export interface CompareOptions {
  /** How long a hold waits that does not say: the deployment's `approvals.expiresIn`. */
  readonly defaultHoldMs?: number
}

const reasonsMax = 20
const threeDaysMs = 72 * 60 * 60 * 1000

/**
 * Compares two pools of rules as sets: over the regions of `match` in which a changed rule may speak, BLOCK < ALERT <
 * ALLOW, every requirement and every hold of before must be met by one at least as strict after. Anything else widens;
 * what only could not be shown is "unproven".
 *
 * Shadow rules, names, order and repeats say nothing. Sound, not complete: `narrows` and `neutral` are proved.
 */
export function compareRuleSets(
  before: readonly RuleInForce[],
  after: readonly RuleInForce[],
  { defaultHoldMs = threeDaysMs }: CompareOptions = {},
): RuleSetAuthority {
  const findings = new Map<string, Finding>()
  let widenings = 0
  const walked = walkRegions(comparableRules(before, after), (region) => {
    const old = standingOf(region, 'before', defaultHoldMs)
    const now = standingOf(region, 'after', defaultHoldMs)
    const atMost = isAtMost(now, old)
    const atLeast = isAtMost(old, now)
    if (atMost && atLeast) return true
    const finding: Finding = {
      pointer: changedRules(region),
      effect: atMost ? 'narrows' : 'widens',
      text: `${saysStanding(old)} → ${saysStanding(now)}`,
      where: region.where,
      unproven: !atMost && (!atLeast || mixesExpressions(region)),
    }
    const key = `${finding.pointer}\n${finding.effect}\n${finding.text}`
    const known = findings.get(key)
    // What several regions have in common says where; the rest would only be an example.
    if (known !== undefined) findings.set(key, { ...known, where: common(known.where, region.where) })
    else if (findings.size < reasonsMax) findings.set(key, finding)
    // Enough is known once widening is certain and described; one that is unproven may yet become certain.
    return !(finding.effect === 'widens' && !finding.unproven && ++widenings >= reasonsMax)
  })
  return conclude([...findings.values()], walked)
}

interface Finding extends AuthorityReason {
  readonly where: readonly string[]
  readonly unproven: boolean
}

function conclude(findings: readonly Finding[], walked: boolean): RuleSetAuthority {
  const reasons: AuthorityReason[] = findings.map(({ pointer, effect, text, where, unproven }) => ({
    pointer,
    effect,
    text: `${where.length > 0 ? where.join(', ') : 'everything'}: ${text}${unproven ? ' (unproven)' : ''}`,
  }))
  if (!walked) {
    reasons.push({ pointer: '', effect: 'widens', text: 'too many cases to compare the rules (unproven)' })
  }
  const effect = effectOf(reasons)
  const certain = findings.some((finding) => finding.effect === 'widens' && !finding.unproven)
  return { effect, reasons, unproven: effect === 'widens' && !certain }
}

function common(left: readonly string[], right: readonly string[]): readonly string[] {
  return left.filter((part) => right.includes(part))
}

function changedRules({ speaking }: Region): string {
  const keys = speaking.filter(({ rule }) => rule.side !== 'both').map(({ rule }) => rule.key)
  return [...new Set(keys)].sort().join(' ')
}

/** Whether the region rests on a combination of answers that different expressions may never give together. */
function mixesExpressions({ answers }: Region): boolean {
  return answers.size > 1
}
