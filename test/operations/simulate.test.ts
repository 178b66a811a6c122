import { readFileSync } from 'node:fs'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { renderSimulation } from '../../cli/views/simulation.ts'
import type { Json } from '../../controller/domain/json.ts'
import { simulationJson } from '../../controller/operations/effect-objects.ts'
import { openEventBus } from '../../controller/operations/ingest.ts'
import { runOperatorNow } from '../../controller/operations/operators.ts'
import { type SimulatedFrom, simulateOperator, simulatePlan } from '../../controller/operations/simulate.ts'
import { start, stop } from '../../controller/operations/stops.ts'
import type { EventBus } from '../../controller/seams/event-bus.ts'
import { formats } from '../../schemas/formats.ts'
import { type ModelWorld, startModelWorld } from '../loop/model-world.ts'
import { answers, staysSilent } from '../support/provider.ts'
import { role } from './repositories.ts'

const operator = (name: string, spec: string): string =>
  `apiVersion: fibric.io/v1\nkind: Operator\nmetadata: {name: ${name}}\nspec:\n${spec}`

const keeper = operator(
  'keeper',
  `
  trigger: {on: [thing.seen]}
  capabilities: [thing.read, thing.keyed]
  sense: [{as: thing, capability: thing.read, args: {id: "\${event.payload.id}"}}]
  reason:
    rules:
      - when: "thing.state == 'risky'"
        propose: [{capability: thing.keyed, args: {id: "\${event.payload.id}", note: "\${thing.state}"}}]
`,
)

/** Three in a row, each as its part of the payload says. */
const chain = operator(
  'chain',
  `
  trigger: {on: [thing.chained]}
  capabilities: [thing.keyed, thing.idempotent, thing.match, thing.blind]
  reason:
    rules:
      - when: "true"
        propose:
          - {capability: thing.keyed, args: {id: "\${event.payload.id}", note: "\${event.payload.first}"}}
          - {capability: thing.idempotent, args: {id: "\${event.payload.id}", note: second}}
          - {capability: thing.keyed, args: {id: "\${event.payload.id}-3", note: third}}
`,
)

const once = operator(
  'once',
  `
  trigger: {on: [thing.noticed]}
  capabilities: [thing.blind, thing.match]
  reason:
    rules:
      - when: "!has(event.payload.match)"
        propose: [{capability: thing.blind, args: {id: "\${event.payload.id}"}, key: notice}, {capability: thing.blind, args: {id: "\${event.payload.id}", note: again}, key: notice}]
      - when: "has(event.payload.match)"
        propose: [{capability: thing.match, args: {id: "\${event.payload.id}", note: m}}]
`,
)

const rules = [
  '{id: things, match: {capability: "thing.*"}, decision: ALLOW}',
  '{id: never, match: {capability: thing.keyed, when: "action.args.note == \'bad\'"}, decision: BLOCK}',
  '{id: ask, match: {capability: thing.keyed, when: "action.args.note == \'large\'"}, decision: ALERT, alert: {mode: hold, approvers: {role: ops}}}',
  '{id: pace, match: {capability: thing.keyed}, require: {rate: {max: 1, per: 1h, by: entity}}}',
]

let w: ModelWorld
let bus: EventBus
beforeAll(async () => {
  w = await startModelWorld({
    rules,
    extra: {
      'tenants/acme/roles.yaml': role('ops', 'read, approve'),
      'tenants/acme/operators/simulated.yaml': [keeper, chain, once].join('---\n'),
    },
  })
  bus = openEventBus(w.engine)
})
afterAll(async () => {
  await bus.close()
  await w.close()
})
beforeEach(() => {
  w.provider.forget()
  w.provider.on('*', answers(200, { ok: true, state: 'risky', etag: '"v7"' }))
})

const simulate = async (name: string, from: SimulatedFrom) =>
  simulationJson(await simulateOperator(w.engine, name, 'acme', from))
const asked = () => w.provider.received.map(({ method, path }) => `${method} ${path}`)

/** An event in the log, and the run of an operator over it. */
async function happened(payload: Json, name: string): Promise<{ event: string; run: string; plan: string | null }> {
  const { tenant_id } = await w.domain()
  const [event] = await bus.publish(tenant_id, [
    { source: 'shop', eventType: 'thing.seen', payload: payload as never, origin: 'api', key: null },
  ])
  await w.bring(payload, event!, name)
  const [run] = await w.engine.sql<{ run_id: string; plan_id: string | null }>(
    'select run_id, plan_id from fibric.run where event_id = $1',
    [event],
  )
  return { event: event!, run: run!.run_id, plan: run!.plan_id }
}

/** How many rows there are of everything. */
async function rowsOfAll(): Promise<object> {
  const tables = await w.engine.sql<{ name: string }>(
    `select c.relname as name from pg_class c where c.relnamespace = 'fibric'::regnamespace and c.relkind = 'r' order by 1`,
  )
  const counts = await Promise.all(
    tables.map(({ name }) =>
      w.engine.sql<{ n: string; mark: string | null }>(
        `select count(*) as n, max(xmin::text::bigint)::text as mark from fibric."${name}"`,
      ),
    ),
  )
  return Object.fromEntries(tables.map(({ name }, index) => [name, counts[index]![0]]))
}

const schema = JSON.parse(readFileSync(new URL('../../schemas/receipt.json', import.meta.url), 'utf8'))
const validate = new Ajv2020({
  ...{ strict: true, allowUnionTypes: true, strictTypes: false },
  formats: { 'date-time': formats['date-time'].test },
}).compile(schema)

describe('a simulated run', () => {
  test('reads, and stubs its writes: the request as it would be built, and the receipt as it would stand', async () => {
    const before = await rowsOfAll()
    const { outcome, actions } = await simulate('keeper', { payload: { id: 's1' } })
    expect(asked()).toEqual(['GET /api/things/s1'])
    expect(await rowsOfAll()).toEqual(before)
    expect({ outcome, actions }).toMatchObject({
      outcome: 'simulated',
      actions: [
        {
          state: 'applied',
          capability: 'thing.keyed',
          entity_key: 'thing:s1',
          cause: 'not sent: an effect needs the token of a committed intent',
          verdict: { decision: 'ALLOW' },
          request: {
            method: 'POST',
            url: `http://127.0.0.1:${w.provider.port}/api/things/s1`,
            headers: { 'content-type': 'application/json', 'idempotency-key': actions[0]!.id },
            body: { note: 'risky' },
          },
          receipt: {
            simulated: true,
            outcome: 'applied',
            capability: 'thing.keyed',
            proposer: { kind: 'operator', name: 'keeper' },
            credential: null,
            response_digest: null,
          },
        },
      ],
    })
    expect(validate(actions[0]!.receipt) ? [] : validate.errors).toEqual([])
  })

  test('says in words what it came to', async () => {
    const text = renderSimulation(await simulate('keeper', { payload: { id: 's2' } }))
    expect(text.split('\n')).toEqual([
      'Simulated: nothing was written, nothing was sent.',
      '  applied      thing.keyed thing:s2 {"id":"s2","note":"risky"}',
      expect.stringMatching(/^ {4}ALLOW/),
      `    POST http://127.0.0.1:${w.provider.port}/api/things/s2 {"note":"risky"}`,
      '    not sent: an effect needs the token of a committed intent',
      '    receipt: applied, simulated',
    ])
  })

  test.each([
    { first: 'fine', states: ['applied', 'applied', 'applied'], receipts: ['applied', 'applied', 'applied'] },
    { first: 'bad', states: ['blocked', 'skipped', 'skipped'], receipts: ['blocked', 'skipped', 'skipped'] },
    { first: 'large', states: ['held', 'planned', 'planned'], receipts: [null, null, null] },
    { first: 7, states: ['rejected', 'skipped', 'skipped'], receipts: ['rejected', 'skipped', 'skipped'] },
  ])('goes through a sequence whose first is $first', async ({ first, states, receipts }) => {
    const { actions } = await simulate('chain', { payload: { id: `c-${first}`, first } })
    expect(actions.map(({ state }) => state)).toEqual(states)
    expect(actions.map(({ receipt }) => receipt?.outcome ?? null)).toEqual(receipts)
    for (const { receipt } of actions) if (receipt) expect(validate(receipt) ? [] : validate.errors).toEqual([])
    expect(asked()).toEqual([])
  })

  test('counts what it would have done already, and reserves nothing', async () => {
    const payload = { id: 'r-3', first: 'fine' }
    const twice = await simulate('chain', { payload: { ...payload, id: 'r' } })
    expect(twice.actions.map(({ state }) => state)).toEqual(['applied', 'applied', 'applied'])
    await runOperatorNow(w.engine, 'chain', 'acme', payload)
    const counted = await rowsOfAll()
    // Its entity had its one of the hour.
    const { actions } = await simulate('chain', { payload })
    expect(actions[0]).toMatchObject({
      state: 'blocked',
      receipt: { outcome: 'blocked', verdict: { decision: 'BLOCK' } },
    })
    expect(await rowsOfAll()).toEqual(counted)
  })

  test('finds keys that an earlier action of the plan would have claimed', async () => {
    const { actions } = await simulate('once', { payload: { id: 'k1' } })
    expect(actions.map(({ state }) => state)).toEqual(['applied', 'deduplicated'])
    expect(actions[1]!.cause).toBe(`its key is \`${actions[0]!.id}\`'s`)
  })

  test('finds keys that are claimed', async () => {
    const { actions: real } = await runOperatorNow(w.engine, 'once', 'acme', { id: 'k2' })
    const { actions } = await simulate('once', { payload: { id: 'k2' } })
    expect(actions.map(({ state }) => state)).toEqual(['deduplicated', 'deduplicated'])
    expect(actions[0]!.cause).toBe(`its key is \`${real[0]!.actionId}\`'s`)
  })

  test('reads the version that a conditional effect would be bound to', async () => {
    const { actions } = await simulate('once', { payload: { id: 'v', match: true } })
    expect(actions[0]).toMatchObject({ state: 'applied', request: { method: 'PUT', headers: { 'if-match': '"v7"' } } })
    expect(asked()).toEqual(['GET /api/things/v'])
  })

  test('waits where somebody stopped it', async () => {
    const what = { scope: 'capability', name: 'thing.key*' } as const
    await stop(w.engine, 'acme', what, 'incident')
    const { actions } = await simulate('keeper', { payload: { id: 'stopped' } })
    expect(actions[0]).toMatchObject({ state: 'planned', receipt: null, request: null })
    expect(actions[0]!.cause).toMatch(/^stopped by .*: incident$/)
    await start(w.engine, 'acme', what, 'over')
  })

  test('may be of an event that was there before, which stands in its own way no more', async () => {
    const { event } = await happened({ id: 'e1' }, 'keeper')
    await w.finish()
    w.provider.forget()
    w.provider.on('*', answers(200, { state: 'risky' }))
    const { actions } = await simulate('keeper', { event })
    // The rate is real: its one of the hour is spent.
    expect(actions[0]).toMatchObject({ state: 'blocked', receipt: { event_id: event } })
    expect(asked()).toEqual(['GET /api/things/e1'])
    await expect(simulate('keeper', { event: 'ev_none' })).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })
})

describe('a recorded run', () => {
  test('is simulated with what it sensed, and with no request at all', async () => {
    const { run } = await happened({ id: 'p1' }, 'keeper')
    w.provider.forget()
    w.provider.on('*', staysSilent)
    const before = await rowsOfAll()
    const { actions } = await simulate('keeper', { run })
    expect(actions).toMatchObject([
      { state: 'applied', args: { id: 'p1', note: 'risky' }, request: { method: 'POST' } },
    ])
    expect(asked()).toEqual([])
    expect(await rowsOfAll()).toEqual(before)
  })

  test('of a person has the payload they gave', async () => {
    const { runId } = await runOperatorNow(w.engine, 'once', 'acme', { id: 'given' })
    w.provider.forget()
    const { actions } = await simulate('once', { run: runId })
    expect(actions[0]).toMatchObject({ state: 'applied', args: { id: 'given' } })
    expect(asked()).toEqual([])
  })

  test('has the answer its model gave, and asks none', async () => {
    await w.answer({ answer: { actions: [{ capability: 'thing.keyed', args: { id: 'mo', note: 'said' } }] } })
    const { run } = await happened({ id: 'mo' }, 'thinker')
    await w.answer({ answer: { actions: [] } })
    const calls = (await w.calls()).length
    const again = await simulate('thinker', { run })
    expect(again.actions).toMatchObject([{ state: 'applied', args: { id: 'mo', note: 'said' } }])
    expect(again.actions[0]!.receipt).toMatchObject({ simulated: true, source: { run_id: expect.any(String) } })
    expect(await w.calls()).toHaveLength(calls)

    w.engine.write({ 'tenants/acme/operators/prompts/thinker.md': 'Propose nothing.\n' })
    await w.engine.apply()
    expect(await simulate('thinker', { run })).toMatchObject({
      outcome: 'rejected',
      cause: 'no model may answer: the run asked something else: the operator, its prompt or its tools changed since',
      actions: [],
    })
    expect(await w.calls()).toHaveLength(calls)
  })

  test('that kept nothing of what it saw is refused: nothing is made up', async () => {
    w.provider.on('*', answers(200, { state: 'risky', more: 'x'.repeat(300_000) }))
    const { run } = await happened({ id: 'big' }, 'keeper')
    w.provider.forget()
    await expect(simulate('keeper', { run })).rejects.toMatchObject({ code: 'STATE_CONFLICT' })
    expect(asked()).toEqual([])
    await expect(simulate('keeper', { run: 'run_none' })).rejects.toMatchObject({ code: 'NOT_FOUND' })
    await expect(simulate('chain', { run })).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })
})

describe('a recorded plan', () => {
  test('is gone through again under what is in force, with no request at all', async () => {
    const { plan } = await happened({ id: 'again' }, 'keeper')
    w.provider.forget()
    const before = await rowsOfAll()
    const simulated = simulationJson(await simulatePlan(w.engine, plan!))
    const [key] = await w.engine.sql<{ idempotency_key: string }>(
      'select idempotency_key from fibric.action where plan_id = $1',
      [plan],
    )
    expect(simulated.actions).toMatchObject([
      { state: 'applied', idempotency_key: key!.idempotency_key, receipt: { simulated: true, plan_id: plan } },
    ])
    expect(asked()).toEqual([])
    expect(await rowsOfAll()).toEqual(before)

    await w.finish()
    // Carried out, it does not stand in its own way; the hour's one is spent.
    expect(simulationJson(await simulatePlan(w.engine, plan!)).actions[0]).toMatchObject({ state: 'blocked' })
  })

  test('keeps its order', async () => {
    const { actions: real } = await runOperatorNow(w.engine, 'chain', 'acme', { id: 'order', first: 'bad' })
    const { actions } = simulationJson(await simulatePlan(w.engine, real[0]!.actionId))
    expect(actions.map(({ state }) => state)).toEqual(['blocked', 'skipped', 'skipped'])
  })

  test('of configuration is no plan of effects', async () => {
    const [row] = await w.engine.sql<{ plan_id: string }>(
      'select plan_id from fibric.action where effect is null limit 1',
    )
    await expect(simulatePlan(w.engine, row!.plan_id)).rejects.toMatchObject({ code: 'STATE_CONFLICT' })
  })
})
