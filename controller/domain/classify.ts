import type { FieldSchema } from '../../schemas/field-schema.ts'
import { kindOf, slugOf } from './address.ts'
import { type AuthorityEffect, type AuthorityReason, changeClassOf, classifyContent, effectOf } from './authority.ts'
import { type Change, isHeal } from './change.ts'
import { digestJson } from './digest.ts'
import { type Address, platformSlug, platformTenantId } from './ids.ts'
import type { Authority } from './plan.ts'
import type { Pools } from './pools.ts'
import type { ResourceContent } from './resource.ts'
import { compareRuleSets } from './rule-authority.ts'
import type { RuleInForce } from './rules.ts'

export interface ChangeContents {
  readonly before: ResourceContent | null
  readonly after: ResourceContent | null
}

/** The schema of a kind's spec; authority is read off its `x-authority` keywords. */
export type SchemaOf = (kind: string) => FieldSchema

const reasonsMax = 10

/**
 * What a configuration change does to authority: field by field, and for rules as the pooled set. A heal restores what
 * was approved, and is neutral whatever it restores.
 */
export function classifyChange(change: Change, contents: ChangeContents, pools: Pools, schemaOf: SchemaOf): Authority {
  if (isHeal(change)) return { class: 'neutral', reasons: ['restores what was receipted'] }
  const kind = kindOf(change.address)
  const rulesIn: { readonly [kind: string]: string } = { TrustPolicy: 'rules', Operator: 'guardrails' }
  const rulesField = rulesIn[kind]
  // A policy's other fields (stage, appliesTo) say where its rules speak: they are compared with them.
  const except = kind === 'TrustPolicy' ? ['rules', 'stage', 'appliesTo'] : rulesField ? [rulesField] : []
  const content = classifyContent(schemaOf(kind), contents.before?.spec ?? null, contents.after?.spec ?? null, except)
  // A Skill's rules are made of its fields: both are compared, for what a skill forbids goes with it.
  const rules =
    rulesField || kind === 'Skill'
      ? classifyRules(change, contents, pools)
      : { effect: 'neutral' as const, reasons: [] }
  const reasons = [...content.reasons, ...rules.reasons]
  return {
    class: changeClassOf(joined([content.effect, rules.effect]), content.behaviour),
    reasons: reasons.slice(0, reasonsMax).map((reason) => `${reason.effect}: ${place(reason)}${reason.text}`),
  }
}

function place(reason: AuthorityReason): string {
  return reason.pointer === '' ? '' : `${reason.pointer} `
}

function classifyRules(
  change: Change,
  contents: ChangeContents,
  pools: Pools,
): { effect: AuthorityEffect; reasons: readonly AuthorityReason[] } {
  const slug = slugOf(change.address)
  const owner = pools.factsOf(slug).id
  const after =
    change.digestAfter && contents.after
      ? { address: change.address, owner, commit: null, digest: change.digestAfter, content: contents.after }
      : null
  const old = pools.standingRules(slug)
  const now = pools.with(change.address, change.addressBefore, after).standingRules(slug)
  const alone = compareRuleSets(old, now)
  if (slug !== platformSlug) return alone
  // A platform's rules meet tenants' own, which are not in this pool. An ALERT that goes narrows where nothing else
  // grants and widens where a tenant's ALLOW speaks; so the comparison has to hold with and without such a grant.
  const beside = compareRuleSets([...old, anyGrant], [...now, anyGrant])
  return { effect: joined([alone.effect, beside.effect]), reasons: distinct([...alone.reasons, ...beside.reasons]) }
}

/** Stands for whatever the rules of a tenant may allow. */
const anyGrant: RuleInForce = {
  ruleId: 'any-tenant-grant',
  policy: '_platform/TrustPolicy/any-tenant' as Address,
  owner: platformTenantId,
  commit: null,
  digest: digestJson('any-tenant-grant'),
  stage: 'enforce',
  appliesTo: {},
  rule: { id: 'any-tenant-grant', decision: 'ALLOW' },
}

function joined(effects: readonly AuthorityEffect[]): AuthorityEffect {
  return effectOf(effects.flatMap((effect) => (effect === 'neutral' ? [] : [{ effect }])))
}

function distinct(reasons: readonly AuthorityReason[]): AuthorityReason[] {
  return [...new Map(reasons.map((reason) => [`${reason.pointer} ${reason.text}`, reason])).values()]
}
