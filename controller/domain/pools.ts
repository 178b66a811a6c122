import { kindOf, slugOf } from './address.ts'
import { compileRules, type RuleSet } from './gate.ts'
import { type Address, type Digest, platformSlug, platformTenantId, type Slug, type TenantId } from './ids.ts'
import type { ResourceContent } from './resource.ts'
import { poolFor, type RuleInForce, rulesOfOperator, rulesOfPolicy, type TenantFacts } from './rules.ts'
import { rulesOfSkill } from './skill-rules.ts'

/** An applied object whose content the gate needs: a policy, an operator's guardrails, a tenant's facts. */
export interface GoverningObject {
  readonly address: Address
  readonly owner: TenantId
  readonly commit: string | null
  readonly digest: Digest
  /** Null: the content is gone, so the rules of its domain cannot be read. */
  readonly content: ResourceContent | null
}

/** The kinds that say what the gate answers. */
export const governingKinds: readonly string[] = ['TrustPolicy', 'Operator', 'Skill', 'Tenant']

/**
 * The rules in force in every domain, as they move while changes are carried out one after another: the rules that gate
 * a change are those in force before it.
 */
export class Pools {
  readonly #objects = new Map<Slug, Map<Address, GoverningObject>>()
  readonly #builtin: readonly RuleInForce[]
  readonly #replacement: RuleInForce | null
  readonly #ids = new Map<Slug, TenantId>()
  readonly #compiled = new Map<string, RuleSet>()
  /** Domains whose objects another copy holds too. */
  readonly #shared = new Set<Slug>()

  constructor(input: {
    readonly builtin: readonly RuleInForce[]
    /** `bootstrap` alone, during genesis, instead of every pool. */
    readonly replacement: RuleInForce | null
  }) {
    this.#builtin = input.builtin
    this.#replacement = input.replacement
  }

  /** Puts the objects a domain owns in place of those known of it. `_platform` owns every Tenant document. */
  load(slug: Slug, id: TenantId, objects: readonly GoverningObject[]): void {
    this.#ids.set(slug, id)
    const isPlatform = slug === platformSlug
    // A tenant owns nothing in another's folder, and the platform one document in each.
    for (const known of isPlatform ? [...this.#objects.keys()] : [slug]) {
      const kept = [...this.#of(known).values()].filter((object) => object.owner !== id)
      this.#objects.set(known, new Map(kept.map((object) => [object.address, object])))
      this.#shared.delete(known)
    }
    for (const object of objects) this.#writable(slugOf(object.address)).set(object.address, object)
    if (isPlatform) this.#compiled.clear()
    this.#forget(slug)
  }

  /** The rules that gate a change of `address`. A Tenant document is judged by the platform's alone. */
  rulesFor(address: Address): readonly RuleInForce[] {
    if (this.#replacement) return [this.#replacement]
    const slug = slugOf(address)
    // Nothing is allowed by rules that cannot be read; the way back in after a lock-out leads out of this too.
    if (this.#unreadable(platformSlug) || this.#unreadable(slug)) return this.#builtin.filter((rule) => rule.overrides)
    const own = kindOf(address) === 'Tenant' ? [] : this.#rulesOf(slug)
    const sources = { platform: this.#rulesOf(platformSlug), tenant: own, builtin: this.#builtin }
    return poolFor(sources, this.factsOf(slug))
  }

  ruleSetFor(address: Address): RuleSet {
    const key = kindOf(address) === 'Tenant' ? `${slugOf(address)}/Tenant` : slugOf(address)
    let compiled = this.#compiled.get(key)
    if (!compiled) {
      compiled = compileRules(this.rulesFor(address))
      this.#compiled.set(key, compiled)
    }
    return compiled
  }

  factsOf(slug: Slug): TenantFacts {
    const id = this.#ids.get(slug) ?? (slug === platformSlug ? platformTenantId : unbornTenantId)
    const spec = this.#of(slug).get(`${slug}/Tenant/${slug}` as Address)?.content?.spec
    const text = (value: unknown): string | null => (typeof value === 'string' ? value : null)
    return { id, slug, reseller: text(spec?.reseller), environment: text(spec?.environment) }
  }

  /** Nothing of a suspended tenant runs. */
  isSuspended(slug: Slug): boolean {
    return this.#of(slug).get(`${slug}/Tenant/${slug}` as Address)?.content?.spec.state === 'suspended'
  }

  /** Notes that a change was carried out. Only governing kinds move anything. */
  replace(address: Address, before: Address | null, object: GoverningObject | null): void {
    if (!governingKinds.includes(kindOf(address))) return
    const slug = slugOf(address)
    const objects = this.#writable(slug)
    const replaced = objects.get(before ?? address) ?? null
    objects.delete(before ?? address)
    if (object) objects.set(address, object)
    if (!governs(replaced) && !governs(object)) return
    // What the platform says holds everywhere.
    if (slug === platformSlug) this.#compiled.clear()
    this.#forget(slug)
  }

  /** The same rules, as they stand once `bootstrap` speaks no more. */
  afterGenesis(): Pools {
    return this.#copy(null)
  }

  copy(): Pools {
    return this.#copy(this.#replacement)
  }

  /** The same pools with one object put in place of another: what a change would make of them. */
  with(address: Address, before: Address | null, object: GoverningObject | null): Pools {
    const copy = this.#copy(this.#replacement)
    copy.replace(address, before, object)
    return copy
  }

  /** Every rule of a domain's own documents, whomever it applies to. */
  ownRules(slug: Slug): readonly RuleInForce[] {
    return this.#rulesOf(slug)
  }

  /** The documents whose rules gate a change of `address`. */
  governors(address: Address): Address[] {
    const slugs = kindOf(address) === 'Tenant' ? [platformSlug] : [...new Set([platformSlug, slugOf(address)])]
    return slugs.flatMap((slug) => [...new Set(this.#rulesOf(slug).map((rule) => rule.policy))])
  }

  /** The rules that judge a domain's actions once genesis is over, for comparing what they were with what they will be. */
  standingRules(slug: Slug): readonly RuleInForce[] {
    const platform = [...this.#builtin, ...this.#rulesOf(platformSlug)]
    if (slug === platformSlug) return platform
    return poolFor(
      { platform: this.#rulesOf(platformSlug), tenant: this.#rulesOf(slug), builtin: this.#builtin },
      this.factsOf(slug),
    )
  }

  #copy(replacement: RuleInForce | null): Pools {
    const copy = new Pools({ builtin: this.#builtin, replacement })
    for (const [slug, id] of this.#ids) copy.#ids.set(slug, id)
    // Shared until written to: thousands of operators need not be copied to ask about one.
    for (const [slug, objects] of this.#objects) copy.#objects.set(slug, objects)
    for (const slug of this.#objects.keys()) {
      copy.#shared.add(slug)
      this.#shared.add(slug)
    }
    return copy
  }

  #writable(slug: Slug): Map<Address, GoverningObject> {
    const objects = this.#shared.delete(slug) ? new Map(this.#of(slug)) : this.#of(slug)
    this.#objects.set(slug, objects)
    return objects
  }

  #forget(slug: Slug): void {
    this.#compiled.delete(slug)
    this.#compiled.delete(`${slug}/Tenant`)
  }

  #rulesOf(slug: Slug): RuleInForce[] {
    const rules: RuleInForce[] = []
    for (const object of this.#of(slug).values()) {
      if (!object.content) continue
      const kind = kindOf(object.address)
      if (kind === 'TrustPolicy') rules.push(...rulesOfPolicy(object, object.content.spec))
      else if (kind === 'Operator') rules.push(...rulesOfOperator(object, object.content.spec))
      else if (kind === 'Skill') rules.push(...rulesOfSkill(object, object.content.spec))
    }
    return rules
  }

  #unreadable(slug: Slug): boolean {
    return [...this.#of(slug).values()].some((object) => object.content === null)
  }

  #of(slug: Slug): Map<Address, GoverningObject> {
    let objects = this.#objects.get(slug)
    if (!objects) {
      objects = new Map()
      this.#objects.set(slug, objects)
    }
    return objects
  }
}

/** An operator without guardrails says nothing to the gate, and there are thousands of those. */
function governs(object: GoverningObject | null): boolean {
  if (!object) return false
  if (kindOf(object.address) !== 'Operator' || !object.content) return true
  const { guardrails } = object.content.spec
  return Array.isArray(guardrails) && guardrails.length > 0
}

/** Stands for a tenant that the plan itself creates: its id is minted when it is. */
const unbornTenantId = 't_unborn' as TenantId
