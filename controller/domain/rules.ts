import { canonicalJson } from './canonical-json.ts'
import { compileGlob } from './glob.ts'
import type { Principal } from './identity.ts'
import { type Address, type Digest, platformSlug, type Slug, type TenantId } from './ids.ts'
import { isJsonObject, type JsonObject } from './json.ts'

export type Decision = 'ALLOW' | 'ALERT' | 'BLOCK'
export type Stage = 'enforce' | 'shadow'
/** What a configuration change does to authority; `none` for every other action. */
export type ChangeClass = 'none' | 'widens' | 'narrows' | 'behaviour' | 'neutral'
export type CountedBy = 'tenant' | 'operator' | 'entity' | 'capability'
export type Separation = 'proposer' | 'author' | 'signer'

export interface Bounds {
  readonly lt?: number
  readonly lte?: number
  readonly gt?: number
  readonly gte?: number
}

export interface RuleMatch {
  readonly capability?: string
  readonly connection?: string
  readonly entity?: string
  readonly value?: Bounds
  readonly tier?: Bounds
  readonly change?: ChangeClass
  readonly when?: string
}

export interface RuleRequire {
  readonly maxValue?: number
  readonly rate?: { readonly max: number; readonly per: string; readonly by?: CountedBy }
  readonly budget?: { readonly max: number; readonly currency?: string; readonly per: string; readonly by?: CountedBy }
  readonly otherwise?: 'BLOCK' | 'ALERT'
  readonly hours?: Hours
  readonly check?: string
}

export interface Hours {
  readonly timeZone: string
  readonly days?: readonly string[]
  readonly from: string
  readonly to: string
}

export interface RuleAlert {
  readonly mode?: 'hold' | 'notify'
  readonly approvers?: { readonly role: string; readonly quorum?: number }
  readonly expiresIn?: string
  readonly separateFrom?: readonly Separation[]
  readonly signed?: boolean
}

/** One rule as a TrustPolicy writes it. Without `decision` it is a constraint. */
export interface TrustRule {
  readonly id: string
  readonly match?: RuleMatch
  readonly expiresAt?: string
  readonly decision?: Decision
  readonly require?: RuleRequire
  readonly alert?: RuleAlert
}

/** Whose actions a policy judges; what is absent or empty means all. The last three only in `_platform`. */
export interface AppliesTo {
  readonly operators?: readonly string[]
  readonly proposers?: readonly Principal['kind'][]
  readonly tenants?: readonly string[]
  readonly resellers?: readonly string[]
  readonly environments?: readonly string[]
}

/** A rule as the gate knows it: where it stands, who owns it, and what put it in force. */
export interface RuleInForce {
  readonly ruleId: string
  /** The TrustPolicy, or the Operator whose guardrail it is. */
  readonly policy: Address
  /** The domain that owns the rule; its roles approve. */
  readonly owner: TenantId
  readonly commit: string | null
  /** Digest of the policy's content. */
  readonly digest: Digest
  readonly stage: Stage
  readonly appliesTo: AppliesTo
  readonly rule: TrustRule
  /** Set on `break-glass` alone: where it speaks, the rest of the pool is silent. */
  readonly overrides?: true
}

export interface PolicyFacts {
  readonly address: Address
  readonly owner: TenantId
  readonly commit: string | null
  readonly digest: Digest
}

/** The rules of a TrustPolicy's spec (validated, after defaults). */
export function rulesOfPolicy(policy: PolicyFacts, spec: JsonObject): RuleInForce[] {
  const stage: Stage = spec.stage === 'shadow' ? 'shadow' : 'enforce'
  const appliesTo = (isJsonObject(spec.appliesTo) ? spec.appliesTo : {}) as AppliesTo
  return inForce(policy, stage, appliesTo, spec.rules as unknown as readonly TrustRule[])
}

/** The guardrails of an Operator's spec: they judge that operator alone. */
export function rulesOfOperator(operator: PolicyFacts, spec: JsonObject): RuleInForce[] {
  const name = operator.address.slice(operator.address.lastIndexOf('/') + 1)
  const guardrails = (Array.isArray(spec.guardrails) ? spec.guardrails : []) as unknown as readonly TrustRule[]
  return inForce(operator, 'enforce', { operators: [name] }, guardrails)
}

/** The domain an action happens in, as rules see it. */
export interface TenantFacts {
  readonly id: TenantId
  readonly slug: Slug
  readonly reseller: string | null
  readonly environment: string | null
}

export interface RuleSources {
  readonly platform: readonly RuleInForce[]
  /** The tenant's own policies and guardrails; empty for a Tenant document, which its tenant does not judge. */
  readonly tenant: readonly RuleInForce[]
  readonly builtin: readonly RuleInForce[]
}

/**
 * The rules that judge an action of `tenant`: the platform's (its resellers' among them) where they apply to it, and
 * the tenant's own. In `_platform` its own rules are the platform's.
 */
export function poolFor(sources: RuleSources, tenant: TenantFacts): RuleInForce[] {
  const shared = sources.platform.filter((rule) => appliesToTenant(rule.appliesTo, tenant))
  const own = tenant.slug === platformSlug ? [] : sources.tenant
  return [...sources.builtin, ...shared, ...own]
}

export function appliesToTenant(appliesTo: AppliesTo, tenant: TenantFacts): boolean {
  return (
    matchesAny(appliesTo.tenants, tenant.slug) &&
    matchesAny(appliesTo.resellers, tenant.reseller) &&
    matchesAny(appliesTo.environments, tenant.environment)
  )
}

/** Whether one of the globs matches; no globs at all mean everything, a null attribute is matched by none. */
export function matchesAny(globs: readonly string[] | undefined, text: string | null): boolean {
  if (globs === undefined || globs.length === 0) return true
  return text !== null && globs.some((glob) => compileGlob(glob).matches(text))
}

/** What identifies a rule in a pool, in the order verdicts list them. */
export function ruleKey(rule: RuleInForce): string {
  return `${rule.policy}#${rule.ruleId}`
}

/** Everything that makes a rule what it is, as text: two rules with the same text say the same. */
export function ruleText(rule: RuleInForce): string {
  return canonicalJson([
    rule.policy,
    rule.ruleId,
    rule.owner,
    rule.digest,
    rule.stage,
    rule.appliesTo as JsonObject,
    rule.rule as unknown as JsonObject,
    rule.overrides ?? false,
  ])
}

function inForce(policy: PolicyFacts, stage: Stage, appliesTo: AppliesTo, rules: readonly TrustRule[]): RuleInForce[] {
  const { address, owner, commit, digest } = policy
  return rules.map((rule) => ({ ruleId: rule.id, policy: address, owner, commit, digest, stage, appliesTo, rule }))
}
