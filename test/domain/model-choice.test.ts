import { describe, expect, test } from 'vitest'
import { parseDecimal, zero } from '../../controller/domain/decimal.ts'
import type { Address, Digest, Slug } from '../../controller/domain/ids.ts'
import type { JsonObject } from '../../controller/domain/json.ts'
import { chooseModel, type ModelChoiceInput, type ModelDocument } from '../../controller/domain/model-choice.ts'
import { costOf, mostTokens, overBudget } from '../../controller/domain/model-price.ts'

const document = (address: string, spec: JsonObject | null): ModelDocument => ({
  address: address as Address,
  digest: 'sha256:0' as Digest,
  spec,
})
const policy = (name: string, spec: JsonObject | null): ModelDocument => document(`_platform/ModelPolicy/${name}`, spec)
const own = (name: string, spec: JsonObject | null): ModelDocument => document(`acme/ModelPolicy/${name}`, spec)
const model = (name: string, country: string | null, more: JsonObject = {}): [string, ModelDocument] => [
  name,
  document(`_platform/Model/${name}`, { provider: 'bedrock', modelId: name, hosting: { country }, ...more }),
]
const models = new Map([
  model('us', 'US'),
  model('us-two', 'US'),
  model('de', 'DE'),
  model('anywhere', null),
  model('recorded', 'US', { provider: 'scripted' }),
])
const choose = (more: Partial<ModelChoiceInput>) =>
  chooseModel({ slug: 'acme' as Slug, alias: 'reasoning', platform: [], own: [], models, scripted: false, ...more })
const namesOf = (more: Partial<ModelChoiceInput>): string[] | string => {
  const choice = choose(more)
  return choice.kind === 'chosen' ? choice.candidates.map(({ name }) => name) : choice.reason
}

describe('which model answers', () => {
  const platform = policy('p', { perTenant: { acme: 'us' }, aliases: { reasoning: 'de' }, default: 'us-two' })
  const tenant = own('t', { aliases: { reasoning: 'de' }, default: 'us-two' })

  test("the platform's word for the tenant comes first", () => {
    expect(namesOf({ platform: [platform], own: [tenant] })).toEqual(['us'])
  })

  test("then the tenant's alias, then its default, then the platform's alias and default", () => {
    const { perTenant: _, ...rest } = platform.spec!
    expect(namesOf({ platform: [policy('p', rest)], own: [tenant] })).toEqual(['de'])
    expect(namesOf({ platform: [policy('p', rest)], own: [own('t', { default: 'us-two' })] })).toEqual(['us-two'])
    expect(namesOf({ platform: [policy('p', rest)], own: [own('t', {})] })).toEqual(['de'])
    expect(namesOf({ platform: [policy('p', rest)], alias: 'other' })).toEqual(['us-two'])
    expect(namesOf({ platform: [policy('p', rest)], alias: null })).toEqual(['us-two'])
  })

  test("another tenant's line means nothing", () => {
    expect(namesOf({ platform: [policy('p', { perTenant: { beta: 'us' } })] })).toContain('no ModelPolicy serves')
  })

  test('a name that every object has is no alias', () => {
    expect(namesOf({ platform: [policy('p', { aliases: {} })], alias: 'constructor' })).toContain(
      'no ModelPolicy serves',
    )
  })

  test('two policies that choose different models choose none', () => {
    const two = [policy('a', { default: 'us' }), policy('b', { default: 'de' })]
    expect(namesOf({ platform: two })).toContain('choose different models')
    expect(namesOf({ platform: [two[0]!, policy('b', { default: 'us' })] })).toEqual(['us'])
  })

  test('fallbacks are those of the policy that chose, and of no other', () => {
    const chose = own('t', { default: 'us', fallbacks: ['us-two', 'us'] })
    expect(namesOf({ platform: [policy('p', { default: 'de', fallbacks: ['de'] })], own: [chose] })).toEqual([
      'us',
      'us-two',
    ])
  })
})

describe('residency', () => {
  const us = policy('residency', { require: { country: ['US'] } })

  test.each([
    ['in another country', 'de', 'runs in DE, and it has to run in US'],
    ['wherever its provider chooses', 'anywhere', 'runs wherever its provider chooses'],
    ['nobody applied', 'absent', 'there is no model `absent`'],
  ])('a model %s is no candidate', (_what, name, reason) => {
    expect(namesOf({ platform: [us], own: [own('t', { default: name })] })).toContain(reason)
  })

  test('every fallback is held against it', () => {
    const chose = own('t', { default: 'de', fallbacks: ['anywhere', 'us'] })
    const choice = choose({ platform: [us], own: [chose] })
    expect(choice).toMatchObject({
      kind: 'chosen',
      candidates: [{ name: 'us' }],
      refused: [{ name: 'de' }, { name: 'anywhere' }],
    })
  })

  test('what all policies require holds together: a tenant cannot widen it, and may narrow it', () => {
    const wider = own('t', { default: 'de', require: { country: ['US', 'DE'] } })
    expect(namesOf({ platform: [us], own: [wider] })).toContain('has to run in US')
    const other = own('t', { default: 'us', require: { country: ['DE'] } })
    expect(namesOf({ platform: [us], own: [other] })).toContain('the policies leave no country')
  })

  test('binds the model that the platform itself names for the tenant', () => {
    expect(
      namesOf({
        platform: [policy('p', { perTenant: { acme: 'de' } })],
        own: [own('t', { require: { country: ['US'] } })],
      }),
    ).toContain('has to run in US')
  })

  test('a policy whose content is gone closes everything: nobody knows what it required', () => {
    expect(namesOf({ platform: [us, policy('gone', null)], own: [own('t', { default: 'us' })] })).toContain(
      'the content of `_platform/ModelPolicy/gone` is gone',
    )
  })
})

test('a scripted model answers where recordings may, and nowhere else', () => {
  const recorded = [own('t', { default: 'recorded' })]
  expect(namesOf({ own: recorded })).toContain('sandbox tenants and under `fibric up` only')
  expect(namesOf({ own: recorded, scripted: true })).toEqual(['recorded'])
})

describe('what a call costs', () => {
  const priced = { price: { inputPerMTok: 0.6, outputPerMTok: 1.7, currency: 'USD' } }
  const budget = { of: 'a policy', max: 0.001, currency: 'USD', perMs: 1 }

  test('is exact, and nothing for a model without a price', () => {
    expect(costOf(priced, { inputTokens: 1_000_001, outputTokens: 3 })).toEqual({
      amount: '0.6000057',
      currency: 'USD',
    })
    expect(costOf({}, { inputTokens: 1, outputTokens: 1 })).toBe(null)
  })

  test('is bounded by the bytes of the prompt and the tokens allowed', () => {
    const most = mostTokens(['é'.repeat(1000)], 50)
    expect(most.inputTokens).toBeGreaterThanOrEqual(2000)
    expect(most.outputTokens).toBe(50)
  })

  test('fits a budget up to its last digit, beside what was spent', () => {
    const cost = { amount: '0.0004', currency: 'USD' }
    expect(overBudget(budget, cost, parseDecimal('0.0006')!)).toBe(null)
    expect(overBudget(budget, cost, parseDecimal('0.00060000001')!)).toContain('is 0.001 USD')
  })

  test.each([
    ['without a price', budget, null],
    ['in another currency', { ...budget, currency: 'EUR' }, { amount: '0', currency: 'USD' }],
    ['under a budget that names no currency', { ...budget, currency: null }, { amount: '0', currency: 'USD' }],
  ])('fails a budget when it cannot be compared: %s', (_what, which, cost) => {
    expect(overBudget(which, cost, zero)).toEqual(expect.any(String))
  })
})
