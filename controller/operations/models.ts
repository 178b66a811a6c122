import { randomBytes } from 'node:crypto'
import { FibricError } from '../domain/errors.ts'
import { type Address, mintId, platformSlug } from '../domain/ids.ts'
import { isJsonObject } from '../domain/json.ts'
import { chooseModel, type ModelCandidate, type ModelChoice } from '../domain/model-choice.ts'
import type { Engine } from '../engine.ts'
import { type ModelPolicies, readModelPolicies } from '../seams/model-router/choose.ts'
import type { DomainRow } from '../store/domains.ts'
import { type ModelCallRow, readModelCalls } from '../store/models.ts'
import { requireScope } from '../tenancy/actor.ts'
import { visibleDomains } from './domains.ts'
import { modelSecret, modelsOf, providers, scriptedModelsAllowed, targetOf } from './model-way.ts'

/** What answers in a tenant under one alias, and what would if it failed. */
export interface ShownModelChoice {
  readonly tenant: string
  /** Null: whoever names no alias. */
  readonly alias: string | null
  readonly policy: Address | null
  readonly by: string | null
  /** The model that the policy names, whether it may be called or not. */
  readonly chosen: string | null
  readonly models: readonly ShownModel[]
  /** Models that are never called here, and why. */
  readonly refused: readonly { readonly name: string; readonly reason: string }[]
  /** Why no model answers; null when one does. */
  readonly problem: string | null
}

export interface ShownModel {
  readonly name: string
  readonly address: Address
  readonly provider: string
  readonly model_id: string
  readonly country: string | null
  readonly region: string | null
  readonly rating: string | null
  /** The URL below which it is asked; null where nobody is asked. */
  readonly endpoint: string | null
  /** What lets us in: a secret, the environment's own identity, or nothing. */
  readonly credential: 'secret' | 'environment' | 'none'
  readonly secret: string
}

/** Which models answer in each tenant, for the default and for every alias that some policy names. */
export async function listModels(engine: Engine, slug: string | null): Promise<ShownModelChoice[]> {
  requireScope(engine.actor, 'config:read')
  const shown: ShownModelChoice[] = []
  for (const domain of await visibleDomains(engine, slug)) {
    const policies = await readModelPolicies(engine.database, domain.tenant_id, scriptedModelsAllowed(engine))
    if (policies === null || (domain.slug === platformSlug && slug === null)) continue
    const aliases = aliasesOf(policies)
    for (const alias of [null, ...aliases]) {
      const choice = chooseModel({ ...policies, alias })
      // Nobody has to name a default.
      if (alias === null && choice.kind === 'none' && aliases.length > 0) continue
      shown.push(await shownChoice(engine, domain, alias, choice))
    }
  }
  return shown
}

export interface TestedModel {
  readonly tenant: string
  readonly alias: string | null
  readonly outcome: 'answered' | 'refused' | 'unavailable'
  readonly reason: string | null
  readonly model: string | null
  readonly text: string | null
  readonly input_tokens: number | null
  readonly output_tokens: number | null
  readonly cost: string | null
  readonly currency: string | null
  readonly took_ms: number
}

export type ModelChoiceShown = ReturnType<typeof modelChoiceJson>
export type TestedModelShown = ReturnType<typeof testedModelJson>

export function modelChoiceJson(choice: ShownModelChoice) {
  return { object: 'model_choice' as const, ...choice }
}

export function testedModelJson(tested: TestedModel) {
  return { object: 'tested_model' as const, ...tested }
}

/** Asks the model that serves a tenant one small question, by its policies, within its budget, and recorded like any other. */
export async function testModel(engine: Engine, slug: string, alias: string | null): Promise<TestedModel> {
  requireScope(engine.actor, 'runs:write')
  const [domain] = await visibleDomains(engine, slug)
  if (!domain) throw new FibricError('NOT_FOUND', `there is no tenant \`${slug}\` here`)
  if (alias !== null) await requireAlias(engine, domain, alias)
  const began = performance.now()
  const key = `test ${mintId('request', engine.clock().getTime(), randomBytes(10))}`
  const result = await modelsOf(engine).router.invoke(
    domain,
    {
      key,
      alias,
      system: 'You are asked whether you can be reached.',
      messages: [{ role: 'user', text: 'Answer with the word: ready' }],
      maxTokens: 64,
    },
    new AbortController().signal,
  )
  const calls = await engine.database.asWorker(
    [domain.tenant_id],
    (tx) => readModelCalls(tx, [domain.tenant_id], [key]),
    {
      access: 'read only',
    },
  )
  const call = calls.find(({ state }): boolean => state === 'answered') ?? null
  return {
    tenant: slug,
    alias,
    outcome: result.kind,
    reason: 'reason' in result ? result.reason : null,
    model: call?.model ?? null,
    text: result.kind === 'answered' ? result.text : null,
    ...spentBy(call),
    took_ms: Math.round(performance.now() - began),
  }
}

/** An operator's question under an alias that nobody serves goes to the default; who tests an alias means that one. */
async function requireAlias(engine: Engine, { tenant_id, slug }: DomainRow, alias: string): Promise<void> {
  const policies = await readModelPolicies(engine.database, tenant_id, scriptedModelsAllowed(engine))
  const aliases = policies === null ? [] : aliasesOf(policies)
  if (aliases.includes(alias)) return
  throw new FibricError('NOT_FOUND', `no ModelPolicy of \`${slug}\` serves the alias \`${alias}\``, {
    hint:
      aliases.length === 0
        ? `there is none; the default model is asked by: fibric models test --tenant ${slug}`
        : `there are: ${aliases.join(', ')}; and without an alias, the default`,
  })
}

/** Every alias that some policy of a domain names, in order. */
function aliasesOf({ platform, own }: ModelPolicies): string[] {
  const named = [...platform, ...own].flatMap(({ spec }) =>
    isJsonObject(spec?.aliases) ? Object.keys(spec.aliases) : [],
  )
  return [...new Set(named)].sort()
}

function spentBy(call: ModelCallRow | null) {
  const { input_tokens = null, output_tokens = null, cost = null, currency = null } = call ?? {}
  return { input_tokens, output_tokens, cost, currency }
}

async function shownChoice(
  engine: Engine,
  { tenant_id, slug }: DomainRow,
  alias: string | null,
  choice: ModelChoice,
): Promise<ShownModelChoice> {
  if (choice.kind === 'none') {
    return {
      tenant: slug,
      alias,
      policy: null,
      by: null,
      chosen: null,
      models: [],
      refused: [],
      problem: choice.reason,
    }
  }
  const { policy, by, model: chosen, refused, candidates } = choice
  const models: ShownModel[] = []
  for (const candidate of candidates) models.push(await shownModel(engine, tenant_id, candidate))
  return { tenant: slug, alias, policy, by, chosen, models, refused, problem: null }
}

async function shownModel(
  engine: Engine,
  tenantId: DomainRow['tenant_id'],
  model: ModelCandidate,
): Promise<ShownModel> {
  const { name, address, spec } = model
  const target = await targetOf(engine.database, tenantId, model)
  const provider = String(spec.provider)
  const hosting = isJsonObject(spec.hosting) ? spec.hosting : {}
  const without = provider === 'bedrock' ? 'environment' : 'none'
  return {
    name,
    address,
    provider,
    model_id: target.modelId,
    country: typeof hosting.country === 'string' ? hosting.country : null,
    region: target.region,
    rating: typeof spec.rating === 'string' ? spec.rating : null,
    endpoint:
      (providers as { readonly [name: string]: (typeof providers)['openai'] })[provider]?.endpoint(target) ?? null,
    credential: target.credential === null ? without : 'secret',
    secret: modelSecret(name),
  }
}
