import { hash } from 'node:crypto'
import { compileRequire, type Requirement } from './constraints.ts'
import { type CounterNeed, counterKey } from './counters.ts'
import { parseDurationMs } from './duration.ts'
import { compileGlob, isLiteralGlob } from './glob.ts'
import type { Digest } from './ids.ts'
import { compileMatch, type MatchPart } from './matching.ts'
import { type Decision, type RuleInForce, ruleKey, ruleText } from './rules.ts'
import type { GateAction, GateEnvelope, Hold, RuleCitation } from './verdict.ts'

/** A rule made ready: expressions compiled, bounds parsed, what it would put into a verdict written out. */
export interface CompiledRule {
  readonly inForce: RuleInForce
  readonly key: string
  /** Its place among the rules of the set; verdicts list rules in this order. */
  readonly position: number
  readonly citation: RuleCitation
  /** What it says of an action it decides. */
  readonly says: Readonly<Record<Decision, string>>
  readonly decision: Decision | null
  readonly shadow: boolean
  readonly overrides: boolean
  readonly match: readonly MatchPart[]
  readonly requirements: readonly Requirement[]
  /** What a requirement that does not hold does. */
  readonly otherwise: 'BLOCK' | 'ALERT'
  readonly hold: Hold
  /** Epoch milliseconds; Infinity when it does not expire. Only an ALLOW does. */
  readonly expiresAtMs: number
}

/** The rules of one pool, ready to judge. It is a value: nothing but its cache of candidates ever changes. */
export interface RuleSet {
  readonly size: number
  /** Over the rules, whatever their order. */
  readonly digest: Digest
  /** Rules that could not be read: while there is one, everything is BLOCK and the controller is unhealthy. */
  readonly problems: readonly string[]
  readonly rules: readonly CompiledRule[]
  /** The rules whose capability and connection fit, in the order verdicts list them. */
  candidates(action: Pick<GateAction, 'capability' | 'connection'>): Candidates
}

export interface Candidates {
  readonly enforced: readonly CompiledRule[]
  readonly shadow: readonly CompiledRule[]
}

const candidateListsMax = 4096

/** Compiles a pool of rules. Never throws: what cannot be read is a problem of the set. */
export function compileRules(pool: readonly RuleInForce[]): RuleSet {
  const texts = pool.map((rule) => ({ rule, text: ruleText(rule) }))
  texts.sort((a, b) => compare(ruleKey(a.rule), ruleKey(b.rule)) || compare(a.text, b.text))
  const problems: string[] = []
  const rules: CompiledRule[] = []
  for (const { rule } of texts) {
    try {
      rules.push(compileRule(rule, rules.length))
    } catch (error) {
      problems.push(`${ruleKey(rule)}: ${(error as Error).message}`)
    }
  }
  const digest = `sha256:${hash('sha256', texts.map(({ text }) => text).join('\n'), 'hex')}` as Digest
  const { literal, globbed } = byCapability(rules)
  const lists = new Map<string, Map<string, Candidates>>()
  return {
    size: pool.length,
    digest,
    problems,
    rules,
    candidates({ capability, connection }) {
      const known = lists.get(capability)?.get(connection)
      if (known !== undefined) return known
      const fitting = [...(literal.get(capability) ?? []), ...globbed.filter((rule) => fits(rule, capability))]
        .filter((rule) => (rule.inForce.rule.match?.connection ?? connection) === connection)
        .sort((a, b) => a.position - b.position)
      const list = { enforced: fitting.filter((rule) => !rule.shadow), shadow: fitting.filter((rule) => rule.shadow) }
      if (lists.size >= candidateListsMax) lists.clear()
      if (!lists.has(capability)) lists.set(capability, new Map())
      lists.get(capability)!.set(connection, list)
      return list
    },
  }
}

/** The counts that the rules which may speak for an action read: fetch these rows before asking the gate. */
export function countersFor(rules: RuleSet, action: GateAction, envelope: GateEnvelope): CounterNeed[] {
  const needs: CounterNeed[] = []
  const { enforced, shadow } = rules.candidates(action)
  for (const rule of [...enforced, ...shadow]) {
    for (const { count } of rule.requirements) {
      if (count === null) continue
      const { by, windowMinutes } = count
      needs.push({ ...counterKey(by, action, envelope), windowMinutes })
    }
  }
  return needs
}

function compileRule(inForce: RuleInForce, position: number): CompiledRule {
  const { rule, ruleId, policy, commit, owner } = inForce
  const alert = rule.alert ?? {}
  const key = ruleKey(inForce)
  return {
    inForce,
    key,
    position,
    citation: { rule: ruleId, policy, commit },
    says: { ALLOW: `${key} allows it`, ALERT: `${key} asks`, BLOCK: `${key} blocks it` },
    decision: rule.decision ?? null,
    shadow: inForce.stage === 'shadow',
    overrides: inForce.overrides === true,
    match: compileMatch(inForce),
    requirements: compileRequire(inForce),
    otherwise: rule.require?.otherwise ?? 'BLOCK',
    hold: {
      rule: ruleId,
      policy,
      owner,
      mode: alert.mode ?? 'hold',
      approvers: { role: alert.approvers?.role ?? null, quorum: alert.approvers?.quorum ?? 1 },
      separate_from: alert.separateFrom ?? ['proposer', 'author'],
      expires_in_ms: alert.expiresIn === undefined ? null : durationOf(alert.expiresIn),
      signed: alert.signed ?? false,
    },
    expiresAtMs:
      rule.expiresAt === undefined || rule.decision !== 'ALLOW' ? Number.POSITIVE_INFINITY : instantOf(rule.expiresAt),
  }
}

function byCapability(rules: readonly CompiledRule[]) {
  const literal = new Map<string, CompiledRule[]>()
  const globbed: CompiledRule[] = []
  for (const rule of rules) {
    const capability = rule.inForce.rule.match?.capability
    if (capability === undefined || !isLiteralGlob(capability)) globbed.push(rule)
    else if (literal.has(capability)) literal.get(capability)!.push(rule)
    else literal.set(capability, [rule])
  }
  return { literal, globbed }
}

function fits(rule: CompiledRule, capability: string): boolean {
  const pattern = rule.inForce.rule.match?.capability
  return pattern === undefined || compileGlob(pattern).matches(capability)
}

function durationOf(text: string): number {
  const durationMs = parseDurationMs(text)
  if (durationMs === null) throw new Error(`\`${text}\` is no duration`)
  return durationMs
}

function instantOf(text: string): number {
  const instant = Date.parse(text)
  if (Number.isNaN(instant)) throw new Error(`\`${text}\` is no date and time`)
  return instant
}

function compare(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0
}
