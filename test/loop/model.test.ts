import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { plainPaint } from '../../cli/views/paint.ts'
import { renderTrace } from '../../cli/views/trace.ts'
import type { JsonObject } from '../../controller/domain/json.ts'
import { traceJson } from '../../controller/operations/effect-objects.ts'
import { testModel } from '../../controller/operations/models.ts'
import { trace } from '../../controller/operations/trace.ts'
import { answers } from '../support/provider.ts'
import { type Brought, type ModelWorld, modelYaml, startModelWorld } from './model-world.ts'

let w: ModelWorld
beforeAll(async () => {
  w = await startModelWorld()
})
afterAll(() => w.close())
beforeEach(async () => {
  w.provider.forget()
  w.provider.on('*', answers(200, { ok: true, state: 'fine' }))
})

const hold = (id: string) => ({ capability: 'thing.keyed', args: { id, note: 'risky' } })

describe('an operator that a model reasons for', () => {
  test('proposes what the model answered, and the executor disposes', async () => {
    await w.answer({ match: '"id":"m1"', answer: { reasoning: 'it is risky', actions: [hold('m1')] } })
    const run = await w.bring({ id: 'm1' })
    expect(run).toMatchObject({ kind: 'proposed', plan: { draft: { model: '_platform/Model/us' } } })
    await w.finish()
    const receipt = (await w.receipts()).at(-1)!
    expect(receipt).toMatchObject({ outcome: 'applied', capability: 'thing.keyed', entity_key: 'thing:m1' })
    const [plan] = await w.engine.sql<{ source: JsonObject }>(
      'select source from fibric.execution_plan where plan_id = $1',
      [receipt.plan_id],
    )
    const [call] = await w.calls()
    expect(plan!.source).toMatchObject({
      reasoning: 'it is risky',
      model: {
        model: { address: '_platform/Model/us', rating: null },
        calls: [{ prompt: call!.prompt_digest, output: call!.output_digest }],
      },
    })
  })

  test('keeps prompt and output by digest, and settles what was reserved', async () => {
    await w.answer({ answer: { actions: [] } })
    expect(await w.bring({ id: 'kept' })).toMatchObject({ kind: 'nothing' })
    const call = (await w.calls()).at(-1)!
    const rows = await w.engine.sql<{ digest: string; purpose: string; bytes: Buffer }>(
      'select digest, purpose, bytes from fibric.evidence where digest = any($1) order by purpose',
      [[call.prompt_digest, call.output_digest]],
    )
    expect(rows.map(({ purpose }) => purpose)).toEqual(['output', 'prompt'])
    expect(rows[0]!.bytes.toString()).toBe('{"actions":[]}')
    const prompt = JSON.parse(rows[1]!.bytes.toString()) as JsonObject
    expect(prompt).toMatchObject({ modelId: 'us-1', parameters: { maxTokens: 512 } })
    expect(String(prompt.system)).toContain('Propose thing.keyed for things that are risky.')
    expect(Number(call.cost)).toBeGreaterThan(0)
    expect(Number(call.cost)).toBeLessThan(Number(call.reserved))
  })

  test('is told what the event says as data, and no ids of the deployment', async () => {
    await w.answer({ answer: { actions: [] } })
    await w.bring({ id: 'told', text: 'plain' }, 'ev_told')
    const [row] = await w.engine.sql<{ bytes: Buffer }>('select bytes from fibric.evidence where digest = $1', [
      (await w.calls()).at(-1)!.prompt_digest,
    ])
    const { messages } = JSON.parse(row!.bytes.toString()) as { messages: { role: string; text: string }[] }
    expect(messages).toHaveLength(1)
    expect(JSON.parse(messages[0]!.text)).toEqual({
      event: { event_type: 'thing.seen', source: 'shop', payload: { id: 'told', text: 'plain' } },
      now: w.engine.clock().toISOString(),
    })
    const { tenant_id } = await w.domain()
    expect(row!.bytes.toString()).not.toContain(tenant_id)
  })

  test('is asked once: redelivery finds the answer that was recorded', async () => {
    await w.answer({ answer: { actions: [hold('once')] } })
    const first = await w.bring({ id: 'once' }, 'ev_once')
    expect(first).toMatchObject({ kind: 'proposed' })
    // A process that died after the answer and before the run was kept.
    await w.engine.sql(`delete from fibric.run where delivery_id = 'ev_once'`)
    await w.answer({ answer: { actions: [hold('other')] } })
    const before = (await w.calls()).length
    const second = await w.bring({ id: 'once' }, 'ev_once')
    expect(second).toMatchObject({ kind: 'proposed', plan: { effects: [{ entityKey: 'thing:once' }] } })
    expect(await w.calls()).toHaveLength(before)
    await w.finish()
  })

  test('may repair its answer twice', async () => {
    await w.answer(
      { match: ['"id":"r1"', 'has the unknown field `value`', 'is not JSON'], answer: { actions: [hold('r1')] } },
      { match: ['"id":"r1"', 'is not JSON'], answer: { actions: [{ ...hold('r1'), value: 1 }] } },
      { match: '"id":"r1"', answer: 'I would hold it.' },
    )
    const before = (await w.calls()).length
    expect(await w.bring({ id: 'r1' })).toMatchObject({
      kind: 'proposed',
      plan: { effects: [{ entityKey: 'thing:r1' }] },
    })
    expect(await w.calls()).toHaveLength(before + 3)
    await w.finish()
  })

  test('ends rejected with an entry that names the digests when its answer cannot be repaired', async () => {
    await w.answer({ answer: 'I would rather not.' })
    const run = await w.bring({ id: 'x' }, 'ev_unrepaired')
    expect(run).toMatchObject({ kind: 'rejected', cause: expect.stringContaining('refused 3 times') })
    const calls = (await w.calls()).slice(-3)
    const entry = (await w.entries('run.rejected')).at(-1)!
    expect(entry).toMatchObject({
      person: 'operator:thinker',
      details: {
        event_id: 'ev_unrepaired',
        model: { calls: calls.map((call) => ({ prompt: call.prompt_digest, output: call.output_digest })) },
      },
    })
    expect(JSON.stringify(entry)).not.toContain('rather not')
  })

  test('two actions happen in the order given', async () => {
    await w.answer({ answer: { actions: [hold('o1'), { capability: 'thing.idempotent', args: { id: 'o2' } }] } })
    const run = await w.bring({ id: 'order' })
    expect(run).toMatchObject({ kind: 'proposed' })
    const effects = (run as unknown as { plan: { effects: { actionId: string; after: string[] }[] } }).plan.effects
    expect(effects[1]!.after).toEqual([effects[0]!.actionId])
    await w.finish()
  })

  test('is tried again when no model answered, and asked again then', async () => {
    w.engine.write({
      'tenants/_platform/models/us.yaml': `apiVersion: fibric.io/v1
kind: Model
metadata: {name: us}
spec: {provider: openai, modelId: m, baseUrl: "http://127.0.0.1:${w.provider.port}/v1", hosting: {country: US}, price: {inputPerMTok: 1, outputPerMTok: 2, currency: USD}}
`,
    })
    await w.engine.apply()
    w.provider.on('/v1/chat/completions', answers(503, { error: { message: 'overloaded' } }))
    await expect(w.bring({ id: 'again' }, 'ev_again')).rejects.toThrow('no model answered: `us`: HTTP 503: overloaded')
    expect((await w.calls()).at(-1)).toMatchObject({ state: 'unknown', cost: null })
    const content = JSON.stringify({ actions: [hold('again')] })
    w.provider.on('/v1/chat/completions', answers(200, { choices: [{ message: { content } }] }))
    expect(await w.bring({ id: 'again' }, 'ev_again')).toMatchObject({ kind: 'proposed' })
    expect((await w.calls()).slice(-2).map(({ state }) => state)).toEqual(['unknown', 'answered'])
    await w.finish()
  })
})

test('an outage of the model buries no event, however long it is', async () => {
  w.provider.on('/v1/chat/completions', answers(429, { error: { message: 'slow down' } }, { 'retry-after': '0' }))
  for (let times = 0; times < 9; times++) {
    await expect(w.bring({ id: 'outage' }, 'ev_outage')).rejects.toThrow('no model answered: `us`: HTTP 429: slow down')
  }
  const content = JSON.stringify({ actions: [hold('outage')] })
  w.provider.on('/v1/chat/completions', answers(200, { choices: [{ message: { content } }] }))
  expect(await w.bring({ id: 'outage' }, 'ev_outage')).toMatchObject({ kind: 'proposed' })
  expect(await w.engine.sql('select 1 from fibric.dead_letter')).toEqual([])
  await w.finish()
})

test('a question that breaks every time ends rejected: nobody pays for it for ever', async () => {
  w.provider.on('/v1/chat/completions', answers(500, {}))
  let run: Brought | 'failed' = 'failed'
  for (let times = 0; run === 'failed' && times < 30; times++) {
    run = await w.bring({ id: 'broken' }, 'ev_broken').catch((): 'failed' => 'failed')
  }
  expect(run).toMatchObject({ kind: 'rejected', cause: expect.stringContaining('asked 16 times without an answer') })
  expect((await w.calls()).filter(({ question }) => question.includes('ev_broken'))).toHaveLength(16)
})

describe('a skill that is not for this model', () => {
  test('blocks what the model proposes, with a receipt that names the skill', async () => {
    const skill = (more: string): string =>
      `apiVersion: fibric.io/v1\nkind: Skill\nmetadata: {name: keep}\nspec: {capability: thing.keyed, risk: low, ${more}}\n`
    w.engine.write({
      'tenants/acme/skills/keep.yaml': skill('aiCallable: true, minModelRating: standard'),
      'tenants/_platform/models/us.yaml': modelYaml('us', [{ answer: { actions: [hold('skilled')] } }]),
    })
    await w.engine.apply()
    await w.bring({ id: 'skilled' })
    await w.finish()
    expect((await w.receipts()).at(-1)).toMatchObject({
      outcome: 'blocked',
      entity_key: 'thing:skilled',
      verdict: { rules: [{ rule: 'min-model-rating', policy: 'acme/Skill/keep' }] },
    })
    w.engine.write({
      'tenants/_platform/models/us.yaml': modelYaml('us', [{ answer: { actions: [hold('rated')] } }]).replace(
        'provider: scripted',
        'provider: scripted\n  rating: standard',
      ),
    })
    await w.engine.apply()
    await w.bring({ id: 'rated' })
    await w.finish()
    expect((await w.receipts()).at(-1)).toMatchObject({ outcome: 'applied', entity_key: 'thing:rated' })
  })
})

test('a trace tells what was asked and answered, from any id of the story', async () => {
  const receipt = (await w.receipts()).at(-1)!
  const story = traceJson(await trace(w.engine, String(receipt.receipt_id)))
  expect(story.models).toMatchObject([
    { model: '_platform/Model/us', rating: 'standard', state: 'answered', run: story.runs[0]!.run_id },
  ])
  expect(story.models[0]!.prompt).toMatchObject({ modelId: 'us-1' })
  expect(story.models[0]!.output).toContain('thing.keyed')
  const shown = renderTrace(story, plainPaint)
  expect(shown).toContain(`prompt ${story.models[0]!.prompt_digest}`)
  expect(shown).not.toContain('Propose thing.keyed')
})

test('a model is not tested under an alias that no policy serves', async () => {
  const before = (await w.calls()).length
  const nope = testModel(w.engine, 'acme', 'nope')
  await expect(nope).rejects.toMatchObject({ code: 'NOT_FOUND', hint: expect.stringContaining('there are: reasoning') })
  expect(await w.calls()).toHaveLength(before)
  await w.answer({ answer: { actions: [] } })
  expect(await testModel(w.engine, 'acme', 'reasoning')).toMatchObject({ outcome: 'answered' })
})
