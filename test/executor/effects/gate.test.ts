import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Address } from '../../../controller/domain/ids.ts'
import { answerPlans, listWaiting } from '../../../controller/operations/plans.ts'
import { whyWaiting } from '../../../controller/operations/waiting.ts'
import { policy, role, user } from '../../operations/repositories.ts'
import { answers } from '../../support/provider.ts'
import { startWorld, type World } from './world.ts'

const rules = [
  '{id: things, match: {capability: "thing.*"}, decision: ALLOW}',
  '{id: large, match: {capability: thing.keyed, value: {gt: 100}}, decision: ALERT, alert: {mode: hold, approvers: {role: finance, quorum: 2}, expiresIn: 1h, separateFrom: [proposer]}}',
  '{id: few, match: {capability: thing.idempotent}, require: {rate: {max: 3, per: 1h, by: tenant}}}',
  '{id: purse, match: {capability: thing.blind}, require: {budget: {max: 100, currency: EUR, per: 1d, by: tenant}}}',
  // Another window over the same count as `purse`.
  '{id: pace, match: {capability: thing.blind}, require: {rate: {max: 20, per: 1h, by: tenant}}}',
  '{id: each, match: {capability: thing.pass}, require: {rate: {max: 1, per: 1h, by: entity}}}',
  '{id: never, match: {capability: thing.delete}, decision: BLOCK}',
]

let w: World
beforeAll(async () => {
  w = await startWorld({
    rules,
    extra: {
      'tenants/acme/people.yaml': [
        role('finance', 'read, approve'),
        ...['ana', 'ben', 'cleo'].map((name) =>
          user(name, name === 'cleo' ? 'clerk' : 'finance').replaceAll('@example', '@acme.example'),
        ),
        role('clerk'),
      ].join('---\n'),
    },
  })
})
beforeEach(async () => {
  await w.engine.sql('delete from fibric.effect_queue')
  w.provider.forget()
  w.provider.on('*', answers(200, { ok: true }))
})
afterEach(() => expect(w.failures).toEqual([]))
afterAll(() => w.close())

let made = 0
async function held(id = `h${++made}`) {
  const [action] = await w.propose([{ capability: 'thing.keyed', args: { id, amount: 500, currency: 'EUR' } }])
  await w.finish()
  return action!
}

describe('a hold', () => {
  test('keeps the key and releases the entity; nothing is sent', async () => {
    const action = await held('freed')
    expect(await w.action(action)).toMatchObject({ state: 'held', attempts: 0 })
    const [later] = await w.propose([{ capability: 'thing.idempotent', args: { id: 'freed' } }])
    await w.finish()
    expect(await w.action(later!)).toMatchObject({ state: 'applied' })
    expect(w.writes()).toBe(1)
    expect((await listWaiting(w.engine, 'acme')).map((each) => each.action_id)).toContain(action)
  })

  test('is carried out by the approval that completes its quorum, and the receipt says who gave it', async () => {
    const action = await held()
    const ana = await w.engine.as('acme/User/ana')
    const ben = await w.engine.as('acme/User/ben')
    expect((await answerPlans(ana, action, 'approve', 'fine'))[0]).toMatchObject({ outcome: 'held' })
    await expect(answerPlans(ana, action, 'approve', null)).rejects.toThrow(/answered/)
    await expect(answerPlans(ana, action, 'veto', null)).rejects.toMatchObject({
      code: 'STATE_CONFLICT',
      hint: expect.stringContaining(`fibric actions cancel ${action}`),
    })
    expect((await answerPlans(ben, action, 'approve', null))[0]).toMatchObject({ outcome: 'applied' })
    const receipt = (await w.receipts()).find((each) => each.action_id === action)
    expect(receipt).toMatchObject({
      outcome: 'applied',
      approvals: [{ person: 'acme/User/ana', reason: 'fine' }, { person: 'acme/User/ben' }],
    })
  })

  test('is not approved by who lacks the role', async () => {
    const action = await held()
    const cleo = await w.engine.as('acme/User/cleo')
    await expect(answerPlans(cleo, action, 'approve', null)).rejects.toThrow(/may not approve/)
    expect((await w.action(action)).state).toBe('held')
  })

  test('ends with one veto', async () => {
    const action = await held()
    const ana = await w.engine.as('acme/User/ana')
    expect((await answerPlans(ana, action, 'veto', 'no'))[0]).toMatchObject({ outcome: 'vetoed' })
    expect((await w.receipts()).find((each) => each.action_id === action)).toMatchObject({ outcome: 'vetoed' })
    expect(w.writes()).toBe(0)
  })

  test('expires, and then its key is free', async () => {
    const same = { eventKey: 'expires' }
    const proposal = { capability: 'thing.keyed', args: { id: 'expires', amount: 500, currency: 'EUR' } }
    const [first] = await w.propose([proposal], same)
    await w.finish()
    const [second] = await w.propose([proposal], same)
    await w.finish()
    expect(await w.action(second!)).toMatchObject({ state: 'deduplicated' })
    w.engine.time.now += 3_600_001
    await w.finish()
    expect(await w.action(first!)).toMatchObject({ state: 'expired' })
    const [third] = await w.propose([proposal], same)
    await w.finish()
    expect(await w.action(third!)).toMatchObject({ state: 'held' })
  })

  test('is judged by the rules found when it is approved: a BLOCK stands whatever was approved', async () => {
    const action = await held()
    const ana = await w.engine.as('acme/User/ana')
    const ben = await w.engine.as('acme/User/ben')
    await answerPlans(ana, action, 'approve', null)
    w.engine.write({
      'tenants/acme/policies/freeze.yaml': policy(
        'freeze',
        '{id: freeze, match: {capability: thing.keyed}, decision: BLOCK}',
      ),
    })
    await w.engine.apply()
    expect((await answerPlans(ben, action, 'approve', null))[0]).toMatchObject({ outcome: 'blocked' })
    expect(w.writes()).toBe(0)
    w.engine.write({ 'tenants/acme/policies/freeze.yaml': null })
    await w.engine.apply()
  })

  test('says why it waits', async () => {
    await held('why')
    expect((await whyWaiting(w.engine, 'thing:why' as Address)).join()).toMatch(/2 approvals of role `finance`/)
  })
})

describe('limits', () => {
  test('a rule that blocks leaves a receipt and counts nothing', async () => {
    const [id] = await w.propose([{ capability: 'thing.delete', args: { id: 'b' } }])
    await w.finish()
    expect(await w.action(id!)).toMatchObject({ state: 'blocked', attempts: 0 })
    expect((await w.receipts()).find((each) => each.action_id === id)).toMatchObject({
      outcome: 'blocked',
      verdict: { decision: 'BLOCK' },
    })
    expect(await w.engine.sql(`select from fibric.effect_minute where capability = 'thing.delete'`)).toEqual([])
  })

  test('a rate holds under any concurrency: the first that fit, and the rest blocked', async () => {
    w.engine.time.now += 7_200_000
    const ids = (
      await Promise.all(
        Array.from({ length: 20 }, (_, index) =>
          w.propose([{ capability: 'thing.idempotent', args: { id: `r${index}` } }]),
        ),
      )
    ).flat()
    const others = [w.executorWith({}), w.executorWith({})]
    await Promise.all([w.executor.drain(), ...others.map((each) => each.drain())])
    await w.finish()
    const states = await Promise.all(ids.map(async (id) => (await w.action(id)).state))
    expect(states.filter((state) => state === 'applied')).toHaveLength(3)
    expect(states.filter((state) => state === 'blocked')).toHaveLength(17)
    expect(w.writes()).toBe(3)
  })

  test('an effect that failed gives its place back', async () => {
    w.engine.time.now += 7_200_000
    w.provider.on('*', answers(400, {}))
    for (let index = 0; index < 5; index++) {
      const [id] = await w.propose([{ capability: 'thing.idempotent', args: { id: `g${index}` } }])
      await w.finish()
      expect((await w.action(id!)).state).toBe('failed')
    }
    expect(w.writes()).toBe(5)
  })

  test('a budget counts its currency, exactly, across executors', async () => {
    w.engine.time.now += 172_800_000
    const ids = (
      await Promise.all(
        Array.from({ length: 12 }, (_, index) =>
          w.propose([{ capability: 'thing.blind', args: { id: `m${index}`, amount: 14.3, currency: 'EUR' } }]),
        ),
      )
    ).flat()
    const other = w.executorWith({})
    await Promise.all([w.executor.drain(), other.drain()])
    await w.finish()
    const states = await Promise.all(ids.map(async (id) => (await w.action(id)).state))
    // Six of them are 85.80, a seventh would be 100.10.
    expect(states.filter((state) => state === 'applied')).toHaveLength(6)
    const [dollars] = await w.propose([{ capability: 'thing.blind', args: { id: 'usd', amount: 1, currency: 'USD' } }])
    await w.finish()
    expect(await w.action(dollars!)).toMatchObject({ state: 'blocked' })
  })

  test('a rate by entity counts each entity', async () => {
    const state = async (id: string): Promise<string> => {
      const [action] = await w.propose([{ capability: 'thing.pass', args: { id } }])
      await w.finish()
      return (await w.action(action!)).state
    }
    expect([await state('e1'), await state('e2'), await state('e1')]).toEqual(['applied', 'applied', 'blocked'])
  })

  test('a re-send is not turned away by what it counted itself', async () => {
    w.engine.time.now += 7_200_000
    for (let index = 0; index < 2; index++)
      await w.propose([{ capability: 'thing.idempotent', args: { id: `o${index}` } }])
    await w.finish()
    let calls = 0
    w.provider.on('*', (request, response, socket) =>
      answers(++calls === 1 ? 500 : 200, { ok: true })(request, response, socket),
    )
    const [id] = await w.propose([{ capability: 'thing.idempotent', args: { id: 'o9' } }])
    await w.finish()
    expect(await w.action(id!)).toMatchObject({ state: 'applied', attempts: 2 })
  })

  test('what a verdict saw is recorded, so that it can be replayed', async () => {
    const [row] = await w.engine.sql<{ counts: unknown[]; facts: object }>(
      `select verdict -> 'counts' as counts, gate_input -> 'facts' as facts from fibric.action
        where capability = 'thing.idempotent' and state = 'blocked' limit 1`,
    )
    expect(row!.counts).toMatchObject([{ rule: 'few', seen: '3', max: '3' }])
    expect(row!.facts).toMatchObject({ partial: true })
  })
})
