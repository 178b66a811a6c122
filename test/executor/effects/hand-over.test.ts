import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { ActionId } from '../../../controller/domain/ids.ts'
import type { Proposal } from '../../../controller/executor/effects/propose.ts'
import type { DraftedPlan } from '../../../controller/executor/effects/record.ts'
import { start, stop } from '../../../controller/operations/stops.ts'
import { policy, role } from '../../operations/repositories.ts'
import { answers, type Behaviour, staysSilent } from '../../support/provider.ts'
import { startWorld, type World } from './world.ts'

let w: World
let made = 0
beforeAll(async () => {
  w = await startWorld({
    rules: [
      '{id: things, match: {capability: "thing.*"}, decision: ALLOW}',
      '{id: heard, match: {capability: thing.idempotent}, decision: ALERT, alert: {mode: notify}}',
      '{id: never, match: {capability: thing.delete}, decision: BLOCK}',
      '{id: asked, match: {capability: thing.ask}, decision: ALERT, alert: {mode: hold, approvers: {role: finance}, expiresIn: 1h}}',
      '{id: few, match: {capability: thing.short}, require: {rate: {max: 2, per: 1h, by: tenant}}}',
    ],
    extra: { 'tenants/acme/roles.yaml': role('finance', 'read, approve') },
  })
})
afterAll(() => w.close())
beforeEach(() => w.provider.on('*', answers(200, { ok: true })))
afterEach(async () => {
  await w.finish()
  expect(w.failures).toEqual([])
  w.provider.forget()
})

/** Hands plans over as the loop does, with something that happens between their judgement and their record. */
async function handOver(plans: readonly DraftedPlan[], between: () => Promise<unknown> = async () => {}) {
  const handed = await w.executor.handOver(plans, w.engine.clock())
  await between()
  const tenants = [...new Set(plans.map(({ draft }) => draft.domain.tenant_id))]
  await w.engine.database.asWorker(tenants, (tx) => handed.record(tx, plans))
  w.executor.start(handed)
  return handed.taken.map(({ effect }) => effect.row.action_id)
}

const idsOf = (plans: readonly DraftedPlan[]): ActionId[] =>
  plans.flatMap(({ effects }) => effects.map((each) => each.actionId))
const fresh = (capability: string, args: object = {}): Proposal => ({ capability, args: { id: `h${++made}`, ...args } })
/** The actions of some plans, in their order. */
const actionsOf = (plans: readonly DraftedPlan[]) => Promise.all(idsOf(plans).map((id) => w.action(id)))
const statesOf = async (plans: readonly DraftedPlan[]) => (await actionsOf(plans)).map(({ state }) => state)
const queued = async () =>
  (await w.engine.sql<{ action_id: ActionId }>('select action_id from fibric.effect_queue')).map((row) => row.action_id)

test('what the gate lets go is sent without ever having waited in the queue', async () => {
  const plans = [await w.draft([fresh('thing.keyed')]), await w.draft([fresh('thing.keyed')])]
  expect(await handOver(plans)).toEqual(idsOf(plans))
  expect(await queued()).toEqual([])
  await w.executor.idle()
  expect(await actionsOf(plans)).toMatchObject(Array(2).fill({ state: 'applied', attempts: 1 }))
  expect(w.writes()).toBe(2)
  expect(await w.receipts()).toMatchObject(Array(2).fill({ outcome: 'applied', verdict: { decision: 'ALLOW' } }))
})

test('what waits for another action of its plan is recorded, and follows it', async () => {
  const plan = await w.draft([fresh('thing.keyed'), fresh('thing.keyed')])
  const [first, second] = idsOf([plan])
  expect(await handOver([plan])).toEqual([first])
  await w.finish()
  expect((await w.action(second!)).state).toBe('applied')
  expect(w.provider.received.map(({ path }) => path)).toEqual(plan.effects.map(({ args }) => `/api/things/${args.id}`))
})

test('of two actions on one entity the second waits for the first', async () => {
  const id = `h${++made}`
  const plans = [
    await w.draft([{ capability: 'thing.keyed', args: { id, note: 'one' } }]),
    await w.draft([{ capability: 'thing.keyed', args: { id, note: 'two' } }]),
  ]
  expect(await handOver(plans)).toEqual(idsOf(plans).slice(0, 1))
  // One that comes while the other waits does not pass it.
  const third = await w.draft([{ capability: 'thing.keyed', args: { id, note: 'three' } }])
  expect(await handOver([third])).toEqual([])
  await w.finish()
  expect(w.provider.received.map(({ body }) => JSON.parse(body))).toEqual([
    { note: 'one' },
    { note: 'two' },
    { note: 'three' },
  ])
})

describe('what is not granted goes through the queue', () => {
  test('another action has the key', async () => {
    const key = `key-${++made}`
    const plans = [
      await w.draft([{ ...fresh('thing.keyed'), key }]),
      await w.draft([{ ...fresh('thing.keyed'), key, capability: 'thing.keyed' }]),
    ]
    const same = await w.draft([{ ...plans[0]!.draft.proposals[0]! }])
    await handOver([plans[0]!])
    await w.executor.idle()
    expect(await handOver([same])).toEqual([])
    await w.finish()
    expect(await w.action(idsOf([same])[0]!)).toMatchObject({ state: 'deduplicated' })
    expect(w.writes()).toBe(1)
  })

  test('a person has to agree, or a rule forbids it', async () => {
    const plans = [await w.draft([fresh('thing.ask')]), await w.draft([fresh('thing.delete')])]
    expect(await handOver(plans)).toEqual([])
    await w.finish()
    expect(await statesOf(plans)).toEqual(['held', 'blocked'])
    expect(w.writes()).toBe(0)
  })

  test('a person stopped it after it was judged', async () => {
    const plan = await w.draft([fresh('thing.keyed')])
    const what = { scope: 'capability', name: 'thing.key*' } as const
    expect(await handOver([plan], () => stop(w.engine, 'acme', what, 'incident'))).toEqual([])
    await w.executor.step()
    expect((await w.action(idsOf([plan])[0]!)).state).toBe('planned')
    expect(w.writes()).toBe(0)
    await start(w.engine, 'acme', what, 'over')
    await w.finish()
    expect((await w.action(idsOf([plan])[0]!)).state).toBe('applied')
  })

  test('the rules moved after it was judged', async () => {
    const plan = await w.draft([fresh('thing.keyed')])
    const closed = policy('closed', '{id: closed, match: {capability: thing.keyed}, decision: BLOCK}')
    const handed = handOver([plan], async () => {
      w.engine.write({ 'tenants/acme/policies/closed.yaml': closed })
      await w.engine.apply()
    })
    expect(await handed).toEqual([])
    await w.finish()
    expect((await w.action(idsOf([plan])[0]!)).state).toBe('blocked')
    expect(w.writes()).toBe(0)
    w.engine.write({ 'tenants/acme/policies/closed.yaml': null })
    await w.engine.apply()
  })

  test('its connection was not done lately', async () => {
    const { tenant_id } = await w.domain()
    const failed = `insert into fibric.breaker (tenant_id, connection, failures, reason) values ($1, 'acme/Connection/main', 1, 'not done')`
    const plan = await w.draft([fresh('thing.keyed')])
    expect(await handOver([plan], () => w.engine.sql(failed, [tenant_id]))).toEqual([])
    await w.finish()
    expect((await w.action(idsOf([plan])[0]!)).state).toBe('applied')
    await w.engine.sql('delete from fibric.breaker')
  })

  test('a rate has room for so many: never one more', async () => {
    const plans: DraftedPlan[] = []
    for (let nth = 0; nth < 4; nth++) plans.push(await w.draft([fresh('thing.short')]))
    expect(await handOver(plans)).toHaveLength(2)
    await w.finish()
    expect((await statesOf(plans)).toSorted()).toEqual(['applied', 'applied', 'blocked', 'blocked'])
    expect(w.writes()).toBe(2)
  })
})

test('a rule that notifies raises its alert with the record', async () => {
  const plan = await w.draft([fresh('thing.idempotent')])
  expect(await handOver([plan])).toEqual(idsOf([plan]))
  const alerts = await w.engine.sql<{ action_id: string }>('select action_id from fibric.alert')
  expect(alerts.map((row) => row.action_id)).toEqual(idsOf([plan]))
})

test('blind effects never have more places than a kill may leave in doubt', async () => {
  w.provider.on('*', staysSilent as Behaviour)
  const plans: DraftedPlan[] = []
  for (let nth = 0; nth < 10; nth++) plans.push(await w.draft([fresh('thing.blind')]))
  expect(await handOver(plans)).toHaveLength(4)
  w.provider.on('*', answers(200, { ok: true }))
})

test('of plans whose record failed nothing is sent, and their places are free again', async () => {
  const executor = w.executorWith({ maxInFlight: 1 })
  const plan = await w.draft([fresh('thing.keyed')])
  const handed = await executor.handOver([plan], w.engine.clock())
  expect(executor.freePlaces).toBe(0)
  executor.drop(handed)
  expect(executor.freePlaces).toBe(1)
  expect(w.writes()).toBe(0)
})

test('an action that has to wait is not passed by a later one of its entity', async () => {
  const id = `h${++made}`
  const first = { capability: 'thing.match', args: { id, note: 'one' }, after: [] }
  const second = { capability: 'thing.keyed', args: { id, note: 'two' }, after: [] }
  w.provider.on('*', answers(200, { ok: true, etag: '"v1"' }))
  expect(await handOver([await w.draft([first, second])])).toEqual([])
  await w.finish()
  const sent = w.provider.received.filter(({ method }) => method !== 'GET').map(({ body }) => JSON.parse(body))
  expect(sent).toEqual([{ note: 'one' }, { note: 'two' }])
})

test('an action that was not granted, taken from the queue before its place is back, has a place of its own', async () => {
  const executor = w.executorWith({ maxInFlight: 2 })
  const { behaviour, answer } = heldBack()
  w.provider.on('*', behaviour)
  const plan = await w.draft([fresh('thing.keyed')])
  const what = { scope: 'capability', name: 'thing.key*' } as const
  const handed = await executor.handOver([plan], w.engine.clock())
  await stop(w.engine, 'acme', what, 'incident')
  await w.engine.database.asWorker([plan.draft.domain.tenant_id], (tx) => handed.record(tx, [plan]))
  await start(w.engine, 'acme', what, 'over')
  await executor.step()
  executor.start(handed)
  expect(executor.freePlaces).toBe(1)
  answer()
  await executor.idle()
  expect(executor.freePlaces).toBe(2)
})

test('a delivery that another one had ended claims nothing', async () => {
  const plan = await w.draft([fresh('thing.keyed')])
  const handed = await w.executor.handOver([plan], w.engine.clock())
  await w.engine.database.asWorker([plan.draft.domain.tenant_id], (tx) => handed.record(tx, []))
  w.executor.start(handed)
  expect(handed.taken).toEqual([])
  expect(await w.engine.sql('select from fibric.lease')).toEqual([])
  expect(w.writes()).toBe(0)
})

test('nothing of a tenant is handed over while the queue has work of it, and nobody else waits for that', async () => {
  const executor = w.executorWith({ lookMs: 60_000 })
  const [acme, beta] = [await w.domain('acme'), await w.domain('beta')]
  expect(executor.mayHandOver(acme.tenant_id)).toBe(false)
  await executor.step()
  expect(executor.mayHandOver(acme.tenant_id)).toBe(true)
  await w.propose([fresh('thing.keyed')])
  await executor.step()
  expect([acme, beta].map(({ tenant_id }) => executor.mayHandOver(tenant_id))).toEqual([false, true])
  await executor.step()
  expect(executor.mayHandOver(acme.tenant_id)).toBe(true)
  await executor.idle()
})

test('work in the queue that no place can be given to keeps nothing from being handed over', async () => {
  const executor = w.executorWith({ maxBlindInFlight: 1, lookMs: 60_000 })
  const { behaviour, answer } = heldBack()
  w.provider.on('*', behaviour)
  await w.propose([fresh('thing.blind')])
  await w.propose([fresh('thing.blind')])
  await executor.step()
  await executor.step()
  expect(await queued()).toHaveLength(1)
  expect(executor.mayHandOver((await w.domain()).tenant_id)).toBe(true)
  answer()
  await executor.idle()
})

/** A provider that has a request in hand until it is told to answer. */
function heldBack(): { behaviour: Behaviour; answer: () => void } {
  const told = Promise.withResolvers<void>()
  const behaviour: Behaviour = async (request, response, socket) => {
    await told.promise
    await answers(200, { ok: true })(request, response, socket)
  }
  return { behaviour, answer: () => told.resolve() }
}
