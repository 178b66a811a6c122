import { parseDurationMs } from './duration.ts'
import type { Address, Digest, Slug } from './ids.ts'
import { isJsonObject, type Json, type JsonObject } from './json.ts'

/** A ModelPolicy or a Model as its last receipt left it. */
export interface ModelDocument {
  readonly address: Address
  readonly digest: Digest
  /** Null: the content is gone, which closes what depends on it. */
  readonly spec: JsonObject | null
}

/** Everything a choice depends on. */
export interface ModelChoiceInput {
  readonly slug: Slug
  /** `null`: whoever names no alias. */
  readonly alias: string | null
  /** Policies of `_platform`; none of them for a question that `_platform` itself asks. */
  readonly platform: readonly ModelDocument[]
  /** Policies of the domain that asks. */
  readonly own: readonly ModelDocument[]
  /** By name. */
  readonly models: ReadonlyMap<string, ModelDocument>
  /** Whether scripted models may answer here: in a sandbox tenant, and under `up`. */
  readonly scripted: boolean
}

export interface ModelBudget {
  readonly of: string
  readonly max: number
  readonly currency: string | null
  readonly perMs: number
}

export interface ModelCandidate {
  readonly name: string
  readonly address: Address
  readonly digest: Digest
  readonly spec: JsonObject
}

export type ModelChoice =
  | {
      readonly kind: 'chosen'
      /** The policy that chose, and how: `perTenant`, `alias` or `default`. */
      readonly policy: Address
      readonly by: ChosenBy
      /** The name it chose, admitted or not. */
      readonly model: string
      /** The chosen model and its fallbacks, in order, those that may be called. Never empty. */
      readonly candidates: readonly ModelCandidate[]
      /** Those that may not, and why: none of them is ever called. */
      readonly refused: readonly { readonly name: string; readonly reason: string }[]
      readonly budgets: readonly ModelBudget[]
    }
  | { readonly kind: 'none'; readonly reason: string }

export type ChosenBy = 'perTenant' | 'alias' | 'default'

/**
 * Which models may answer: the platform's `perTenant`, else the tenant's alias or default, else the platform's; fallbacks
 * of the policy that chose alone. `require` and `budget` of every policy that applies hold together.
 */
export function chooseModel(input: ModelChoiceInput): ModelChoice {
  const policies = [...input.platform, ...input.own]
  const gone = policies.find(({ spec }) => spec === null)
  // What it required is not known any more, so nothing may be called until an apply brings it back.
  if (gone) return none(`the content of \`${gone.address}\` is gone: apply it again`)
  const found = levels(input).find(({ picks }) => picks.length > 0)
  if (!found) return none(unserved(input.alias))
  const names = [...new Set(found.picks.map(({ model }) => model))]
  if (names.length > 1) {
    const who = found.picks.map(({ policy }) => `\`${policy.address}\``).join(' and ')
    return none(`${who} choose different models: one of them has to choose`)
  }
  const { policy, model } = found.picks[0]!
  const countries = countriesOf(policies)
  const asked = [...new Set([model, ...texts(policy.spec!.fallbacks)])]
  const judged = asked.map((name) => ({ name, ...admit(input, name, countries) }))
  const candidates = judged.flatMap((each) => ('candidate' in each ? [each.candidate] : []))
  const refused = judged.flatMap((each) => ('reason' in each ? [{ name: each.name, reason: each.reason }] : []))
  if (candidates.length === 0) return none(refused.map(({ reason }) => reason).join('; '))
  const budgets = policies.flatMap(({ address, spec }) => budgetOf(address, spec!.budget))
  return { kind: 'chosen', policy: policy.address, by: found.by, model, candidates, refused, budgets }
}

/** A budget as a policy or a ServiceTier writes it. */
export function budgetOf(of: string, budget: Json | undefined): ModelBudget[] {
  if (!isJsonObject(budget)) return []
  const { max, currency, per } = budget
  return [
    {
      of,
      max: Number(max),
      currency: typeof currency === 'string' ? currency : null,
      perMs: parseDurationMs(String(per)) ?? 0,
    },
  ]
}

interface Level {
  readonly by: ChosenBy
  readonly picks: readonly { readonly policy: ModelDocument; readonly model: string }[]
}

/** The places a model may be named, the first of which counts. */
function levels({ slug, alias, platform, own }: ModelChoiceInput): Level[] {
  const level = (
    policies: readonly ModelDocument[],
    by: ChosenBy,
    pick: (spec: JsonObject) => Json | undefined,
  ): Level => ({
    by,
    picks: policies.flatMap((policy) => {
      const model = pick(policy.spec!)
      return typeof model === 'string' ? [{ policy, model }] : []
    }),
  })
  const aliased = (spec: JsonObject): Json | undefined => (alias === null ? undefined : entryOf(spec.aliases, alias))
  return [
    level(platform, 'perTenant', (spec) => entryOf(spec.perTenant, slug)),
    level(own, 'alias', aliased),
    level(own, 'default', (spec) => spec.default),
    level(platform, 'alias', aliased),
    level(platform, 'default', (spec) => spec.default),
  ]
}

/** The countries that every policy admits; null where none says. */
function countriesOf(policies: readonly ModelDocument[]): readonly string[] | null {
  let countries: readonly string[] | null = null
  for (const { spec } of policies) {
    const listed =
      isJsonObject(spec?.require) && Array.isArray(spec.require.country) ? texts(spec.require.country) : null
    if (listed === null) continue
    countries = countries === null ? listed : countries.filter((country) => listed.includes(country))
  }
  return countries
}

function admit(
  { models, scripted }: ModelChoiceInput,
  name: string,
  countries: readonly string[] | null,
): { readonly candidate: ModelCandidate } | { readonly reason: string } {
  const model = models.get(name)
  if (!model) return { reason: `there is no model \`${name}\`` }
  const { address, digest, spec } = model
  if (spec === null) return { reason: `the content of \`${address}\` is gone: apply it again` }
  const hosting = isJsonObject(spec.hosting) ? spec.hosting : {}
  const country = typeof hosting.country === 'string' ? hosting.country : null
  if (countries !== null && (country === null || !countries.includes(country))) {
    const where = country === null ? 'wherever its provider chooses' : `in ${country}`
    const required =
      countries.length === 0 ? 'the policies leave no country' : `it has to run in ${countries.join(' or ')}`
    return { reason: `the model \`${name}\` runs ${where}, and ${required}` }
  }
  if (spec.provider === 'scripted' && !scripted) {
    return { reason: `the model \`${name}\` is scripted: it answers in sandbox tenants and under \`fibric up\` only` }
  }
  return { candidate: { name, address, digest, spec } }
}

function unserved(alias: string | null): string {
  if (alias === null) return 'no ModelPolicy names a default model'
  return `no ModelPolicy serves the alias \`${alias}\`, and none names a default model`
}

function none(reason: string): ModelChoice {
  return { kind: 'none', reason }
}

function entryOf(map: Json | undefined, key: string): Json | undefined {
  return isJsonObject(map) && Object.hasOwn(map, key) ? map[key] : undefined
}

function texts(value: Json | undefined): string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : []
}
