import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { platformTenantId } from '../../controller/domain/ids.ts'
import { modelsOf } from '../../controller/operations/model-way.ts'
import type { ModelResult } from '../../controller/seams/model-router.ts'
import { writeSecret } from '../../controller/tenancy/secrets.ts'
import { type ModelWorld, modelPolicyYaml, startModelWorld } from '../loop/model-world.ts'
import { answers, hangsUp } from '../support/provider.ts'

const price = 'price: {inputPerMTok: 1000, outputPerMTok: 0, currency: USD}'
let w: ModelWorld
let asked = 0

const openaiYaml = (name: string, country: string, more = ''): string => `apiVersion: fibric.io/v1
kind: Model
metadata: {name: ${name}}
spec: {provider: openai, modelId: ${name}, baseUrl: "http://127.0.0.1:${w.provider.port}/${name}", hosting: {country: ${country}}${more}}
`
const said = (text: string) =>
  answers(200, { choices: [{ message: { content: text } }], usage: { prompt_tokens: 1, completion_tokens: 1 } })

/** Policies as they are applied: of the platform, and of the tenant. */
async function policies(platform: string, acme: string | null = null): Promise<void> {
  w.engine.write({
    'tenants/_platform/policies/models.yaml': modelPolicyYaml('models', platform),
    'tenants/acme/policies/models.yaml': acme === null ? null : modelPolicyYaml('own', acme),
  })
  await w.engine.apply()
}

async function ask(text = 'x', key = `question ${++asked}`): Promise<ModelResult> {
  const question = { key, alias: 'reasoning', system: 's', messages: [{ role: 'user' as const, text }], maxTokens: 10 }
  return modelsOf(w.engine).router.invoke(await w.domain(), question, new AbortController().signal)
}
async function until<T>(read: () => Promise<T>, good: (value: T) => boolean): Promise<T> {
  for (let tries = 0; ; tries++) {
    const value = await read()
    if (good(value) || tries > 600) return value
    await sleep(50)
  }
}
const paths = (): string[] => w.provider.received.map(({ path }) => path.split('/')[1]!)

beforeAll(async () => {
  w = await startModelWorld()
  w.engine.write({
    'tenants/_platform/models/more.yaml': [
      openaiYaml('america', 'US', `, rating: high, ${price}`),
      openaiYaml('america-two', 'US', `, ${price}`),
      openaiYaml('germany', 'DE', `, ${price}`),
      openaiYaml('unpriced', 'US'),
    ].join('---\n'),
  })
  await w.engine.apply()
})
afterAll(() => w.close())
beforeEach(async () => {
  w.provider.forget()
  w.provider.on('*', said('it'))
  await w.engine.sql('delete from fibric.egress_gate')
  await w.engine.sql('delete from fibric.model_call')
})

describe('residency', () => {
  test('a model elsewhere is never called, whoever chose it', async () => {
    await policies('{require: {country: [US]}, perTenant: {acme: germany}, fallbacks: [germany]}')
    expect(await ask()).toEqual({
      kind: 'refused',
      reason: 'the model `germany` runs in DE, and it has to run in US',
    })
    expect(paths()).toEqual([])
    expect(await w.calls()).toEqual([])
  })

  test('a fallback is held against it too, and what is admitted answers', async () => {
    await policies('{require: {country: [US]}}', '{default: america, fallbacks: [germany, america-two]}')
    w.provider.on('/america/chat/completions', answers(503, {}))
    expect(await ask()).toMatchObject({
      kind: 'answered',
      model: { address: '_platform/Model/america-two', rating: null },
    })
    expect(paths()).toEqual(['america', 'america-two'])
  })

  test('is what the receipts say: rows changed by hand change nothing', async () => {
    await policies('{require: {country: [US]}}', '{default: germany}')
    await w.engine.sql(`update fibric.object set kind = 'Parameter' where address = '_platform/ModelPolicy/models'`)
    expect(await ask()).toMatchObject({ kind: 'refused' })
    await w.engine.sql(
      `update fibric.object set digest = (select digest from fibric.object where address = '_platform/Model/america') where address = '_platform/Model/germany'`,
    )
    expect(await ask()).toMatchObject({ kind: 'refused' })
    await w.engine.sql(`delete from fibric.object where address = '_platform/ModelPolicy/models'`)
    expect(await ask()).toMatchObject({ kind: 'refused' })
    expect(paths()).toEqual([])
    await w.engine.apply()
  })

  test("a policy whose content is gone closes the domain's models until it is back", async () => {
    await policies('{require: {country: [US]}}', '{default: america}')
    const [row] = await w.engine.sql<{ digest: string }>(
      `select digest from fibric.object where address = '_platform/ModelPolicy/models'`,
    )
    await w.engine.sql('delete from fibric.content where digest = $1', [row!.digest])
    expect(await ask()).toMatchObject({ kind: 'refused', reason: expect.stringContaining('is gone') })
    expect(paths()).toEqual([])
    await w.engine.apply()
    expect(await ask()).toMatchObject({ kind: 'answered', model: { rating: 'high' } })
  })
})

describe('a budget', () => {
  test('lets no more questions out at once than it pays for, and is settled by what they cost', async () => {
    await policies('{default: america, budget: {max: 1, currency: USD, per: 1h}}')
    // Nobody is answered before everybody has been let out or refused.
    const gate = Promise.withResolvers<void>()
    w.provider.on('*', async (request, response, socket) => {
      await gate.promise
      return said('it')(request, response, socket)
    })
    let refused = 0
    const results = Array.from({ length: 20 }, async () => {
      const result = await ask()
      if (result.kind === 'refused') refused++
      return result
    })
    const [first] = await until(w.calls, (calls) => calls.length > 0)
    const reserved = Number(first!.reserved)
    const fits = Math.floor(1 / reserved)
    expect(fits).toBeGreaterThan(1)
    expect(fits).toBeLessThan(20)
    await until(
      async () => refused + paths().length,
      (decided) => decided === 20,
    )
    expect([paths().length, refused]).toEqual([fits, 20 - fits])
    gate.resolve()
    expect((await Promise.all(results)).filter(({ kind }) => kind === 'answered')).toHaveLength(fits)
    // Settled at one token each, so there is room again.
    expect((await w.calls()).every(({ cost }) => cost === '0.001')).toBe(true)
    expect(await ask()).toMatchObject({ kind: 'answered' })
  })

  test('keeps the reservation of a call whose end nobody knows, until its window is over', async () => {
    await policies('{default: america, budget: {max: 0.3, currency: USD, per: 1h}}')
    w.provider.on('*', hangsUp)
    expect(await ask()).toMatchObject({ kind: 'unavailable' })
    expect((await w.calls())[0]).toMatchObject({ state: 'unknown', cost: null })
    w.provider.on('*', said('it'))
    expect(await ask()).toMatchObject({
      kind: 'refused',
      reason: expect.stringContaining('`_platform/ModelPolicy/models` is 0.3 USD'),
    })
    w.engine.time.now += 3_600_001
    expect(await ask()).toMatchObject({ kind: 'answered' })
  })

  test('gives back what a call turned away had reserved', async () => {
    await policies('{default: america, budget: {max: 0.3, currency: USD, per: 1h}}')
    w.provider.on('*', answers(429, {}))
    expect(await ask('x', 'turned away')).toMatchObject({ kind: 'unavailable' })
    w.provider.on('*', said('it'))
    expect(await ask('x', 'turned away')).toMatchObject({ kind: 'answered' })
    expect((await w.calls()).map(({ state }) => state)).toEqual(['released', 'answered'])
  })

  test('of every policy holds, the smallest first', async () => {
    await policies(
      '{default: america, budget: {max: 100, currency: USD, per: 1h}}',
      '{budget: {max: 0.01, currency: USD, per: 1d}}',
    )
    expect(await ask()).toMatchObject({ kind: 'refused', reason: expect.stringContaining('`acme/ModelPolicy/own`') })
    expect(paths()).toEqual([])
  })

  test.each([
    ['without a price', '{default: unpriced, budget: {max: 1, currency: USD, per: 1h}}', 'has no price'],
    ['in another currency', '{default: america, budget: {max: 1, currency: EUR, per: 1h}}', 'is in EUR'],
  ])('fails for a model %s', async (_what, policy, reason) => {
    await policies(policy)
    expect(await ask()).toMatchObject({ kind: 'refused', reason: expect.stringContaining(reason) })
    expect(paths()).toEqual([])
  })

  test("of the tenant's ServiceTier holds as well", async () => {
    await policies('{default: america}')
    const tenant =
      'apiVersion: fibric.io/v1\nkind: Tenant\nmetadata: {name: acme}\nspec: {displayName: acme, deletionProtection: false, tier: small}\n'
    const tier =
      'apiVersion: fibric.io/v1\nkind: ServiceTier\nmetadata: {name: small}\nspec: {quotas: {modelSpend: {max: 0.01, currency: USD, per: 1d}}}\n'
    w.engine.write({ 'tenants/acme/tenant.yaml': tenant, 'tenants/_platform/tier.yaml': tier })
    await w.engine.apply()
    expect(await ask()).toMatchObject({ kind: 'refused', reason: expect.stringContaining('ServiceTier/small') })
    w.engine.write({
      'tenants/acme/tenant.yaml': tenant.replace(', tier: small', ''),
      'tenants/_platform/tier.yaml': null,
    })
    await w.engine.apply()
  })
})

describe('a question', () => {
  test('asked twice at once is asked of the model once, and both have the answer', async () => {
    await policies('{default: america}')
    w.provider.on('*', async (request, response, socket) => {
      await new Promise((resolve) => setTimeout(resolve, 400))
      return said('slow')(request, response, socket)
    })
    const both = await Promise.all([ask('x', 'twice'), ask('x', 'twice')])
    expect(both).toMatchObject([
      { kind: 'answered', text: 'slow' },
      { kind: 'answered', text: 'slow' },
    ])
    expect(paths()).toEqual(['america'])
  })

  test('that no model may answer for good is refused, and not tried again', async () => {
    await policies('{default: america}')
    w.provider.on('*', answers(400, { error: { message: 'no such model' } }))
    expect(await ask()).toEqual({ kind: 'refused', reason: '`america`: HTTP 400: no such model' })
  })

  test('that a fallback answered keeps that answer when the first model is back', async () => {
    await policies('{default: america, fallbacks: [america-two]}')
    w.provider.on('/america/chat/completions', answers(429, {}))
    w.provider.on('/america-two/chat/completions', said('from two'))
    expect(await ask('x', 'kept')).toMatchObject({ text: 'from two' })
    w.provider.on('/america/chat/completions', said('from one'))
    await w.engine.sql('delete from fibric.egress_gate')
    expect(await ask('x', 'kept')).toMatchObject({ text: 'from two' })
  })
})

test("a tenant's own secret comes before the platform's, and the record names it without its value", async () => {
  const { tenant_id } = await w.domain()
  const change = { person: 'local:test', now: w.engine.clock(), keepPreviousMs: 0 }
  const set = (tenantId: typeof tenant_id, value: string) =>
    writeSecret(w.engine.database, { tenantId, name: 'model-america', field: 'value' }, Buffer.from(value), change)
  await policies('{default: america}')
  await set(platformTenantId, 'key-of-the-platform')
  await ask()
  await set(tenant_id, 'key-of-acme-1')
  await set(tenant_id, 'key-of-acme-2')
  await ask()
  expect(w.provider.received.map(({ headers }) => headers.authorization)).toEqual([
    'Bearer key-of-the-platform',
    'Bearer key-of-acme-2',
  ])
  const kept = await w.engine.sql<{ secret: string; secret_version: number }>(
    'select * from fibric.model_call order by serial',
  )
  expect(kept).toMatchObject([
    { secret: 'model-america', secret_version: 1 },
    { secret: 'model-america', secret_version: 2 },
  ])
  const contents = await w.engine.sql<{ bytes: Buffer }>(
    'select bytes from fibric.content union all select bytes from fibric.evidence',
  )
  expect(contents.some(({ bytes }) => bytes.includes('key-of-'))).toBe(false)
  expect(JSON.stringify(kept)).not.toContain('key-of-')
})
