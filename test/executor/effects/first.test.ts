import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { answers, answersHalf, type Behaviour, hangsUp, staysSilent, writesRaw } from '../../support/provider.ts'
import { startWorld, type World } from './world.ts'

let w: World
let patient: World['executor']
let made = 0
beforeAll(async () => {
  w = await startWorld()
  patient = w.executorWith({ backoffMs: () => 60_000 })
})
afterEach(() => {
  expect(w.failures).toEqual([])
  w.provider.forget()
})
afterAll(() => w.close())

async function once(capability: string, does: Behaviour, args: object = {}) {
  w.provider.on('*', does)
  const [id] = await w.propose([{ capability, args: { id: `f${++made}`, ...args } }])
  // One step and no more: what it would come to in time is another question.
  await patient.step()
  await patient.idle()
  return w.action(id!)
}

/** Ends the connection before the answer is as long as it says. */
const shortOfItsLength = writesRaw(
  'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 900\r\n\r\n{"ok"',
)

describe('a first answer takes an action to', () => {
  const ok = answers(200, { ok: true })
  const rows: { says: string; tool: string; does: Behaviour; state: string }[] = [
    { says: '200', tool: 'thing.blind', does: ok, state: 'applied' },
    { says: '202 of a queryable tool', tool: 'thing.ask', does: answers(202, {}), state: 'unknown' },
    { says: '400', tool: 'thing.keyed', does: answers(400, {}), state: 'failed' },
    { says: '404', tool: 'thing.idempotent', does: answers(404, {}), state: 'failed' },
    { says: '307', tool: 'thing.keyed', does: answers(307, {}, { location: '/elsewhere' }), state: 'failed' },
    { says: '301', tool: 'thing.keyed', does: answers(301, {}, { location: '/elsewhere' }), state: 'failed' },
    { says: '308', tool: 'thing.keyed', does: answers(308, {}, { location: '/elsewhere' }), state: 'failed' },
    { says: '302', tool: 'thing.keyed', does: answers(302, {}, { location: '/elsewhere' }), state: 'unknown' },
    { says: '401', tool: 'thing.keyed', does: answers(401, {}), state: 'failed' },
    { says: '412', tool: 'thing.keyed', does: answers(412, {}), state: 'failed' },
    { says: '503', tool: 'thing.keyed', does: answers(503, {}), state: 'unknown' },
    { says: 'a 200 whose length is a lie', tool: 'thing.blind', does: shortOfItsLength, state: 'unknown' },
    { says: '303', tool: 'thing.keyed', does: answers(303, {}, { location: '/elsewhere' }), state: 'unknown' },
    { says: '408', tool: 'thing.blind', does: answers(408, {}), state: 'unknown' },
    { says: '409 of a keyed tool', tool: 'thing.keyed', does: answers(409, {}), state: 'unknown' },
    { says: '409 of another tool', tool: 'thing.blind', does: answers(409, {}), state: 'failed' },
    { says: '425', tool: 'thing.blind', does: answers(425, {}), state: 'waiting' },
    { says: '500', tool: 'thing.blind', does: answers(500, {}), state: 'unknown' },
    { says: 'a connection reset', tool: 'thing.blind', does: hangsUp, state: 'unknown' },
    { says: 'half a body', tool: 'thing.blind', does: answersHalf, state: 'unknown' },
    { says: 'silence', tool: 'thing.blind', does: staysSilent, state: 'unknown' },
  ]
  test.each(rows)('$state after $says', async ({ tool, does, state }) => {
    const action = await once(tool, does)
    expect(action).toMatchObject({ state, attempts: 1 })
    expect(action.receipt_id !== null).toBe(state === 'applied' || state === 'failed')
    expect(w.writes()).toBe(1)
  })

  test('waiting as long as a 429 says', async () => {
    const action = await once('thing.blind', answers(429, {}, { 'retry-after': '120' }))
    expect(action.state).toBe('waiting')
    const [row] = await w.engine.sql<{ seconds: number }>(
      'select extract(epoch from due_at - now())::integer as seconds from fibric.effect_queue where action_id = $1',
      [action.action_id],
    )
    expect(row!.seconds).toBeGreaterThan(90)
    await w.engine.sql('delete from fibric.egress_gate')
  })

  test('an entry in the ledger when it is a doubt, and a receipt only when it ends', async () => {
    const before = (await w.entries('action.doubt')).length
    const action = await once('thing.blind', hangsUp)
    const doubts = await w.entries('action.doubt')
    expect(doubts.slice(before)).toMatchObject([{ details: { action_id: action.action_id, state: 'unknown' } }])
    expect((await w.receipts()).some((receipt) => receipt.action_id === action.action_id)).toBe(false)
  })

  test('applied, with the credential left out and the request named by digest', async () => {
    const action = await once('thing.keyed', ok)
    const receipt = (await w.receipts()).find((each) => each.action_id === action.action_id)
    expect(receipt).toMatchObject({
      outcome: 'applied',
      attempts: 1,
      credential: null,
      compensates: null,
      connection: 'lab',
      source: { connection: 'acme/Connection/main', connector: '_platform/Connector/lab@1.0.0' },
    })
    expect(receipt!.request_digest).toMatch(/^sha256:/)
    expect(receipt!.intent_at).not.toBeNull()
  })
})

describe('what was certainly not made', () => {
  // Doubts of other tests are not looked into here.
  beforeEach(() => w.engine.sql('delete from fibric.effect_queue'))

  test('is made again under the same action and key until it works', async () => {
    let calls = 0
    w.provider.on('*', (request, response, socket) =>
      (++calls < 3 ? answers(425, {}) : answers(200, { ok: true }))(request, response, socket),
    )
    const [id] = await w.propose([{ capability: 'thing.keyed', args: { id: 'again' } }])
    await w.finish()
    expect(await w.action(id!)).toMatchObject({ state: 'applied', attempts: 3 })
    const keys = w.provider.received.map(({ headers }) => headers['idempotency-key'])
    expect(new Set(keys).size).toBe(1)
  })

  test('fails once its time is over, and gives back what it had counted', async () => {
    w.provider.on('*', answers(425, {}))
    const [id] = await w.propose([{ capability: 'thing.short', args: { id: 'late' } }])
    await w.executor.step()
    await w.executor.idle()
    w.engine.time.now += 2000
    await w.finish()
    expect(await w.action(id!)).toMatchObject({ state: 'failed' })
    const counts = await w.engine.sql<{ count: string }>(
      `select count from fibric.effect_minute where capability = 'thing.short' and count <> 0`,
    )
    expect(counts).toEqual([])
  })

  test('opens a breaker after several in a row, and its actions wait as one condition', async () => {
    w.provider.on('*', answers(425, {}))
    const ids = await w.propose(
      Array.from({ length: 5 }, (_, index) => ({ capability: 'thing.keyed', args: { id: `b${index}` }, after: [] })),
    )
    for (let round = 0; round < 6; round++) {
      await w.executor.step()
      await w.executor.idle()
    }
    const [breaker] = await w.engine.sql<{ failures: number; open: boolean }>(
      'select failures, open_until > now() as open from fibric.breaker',
    )
    expect(breaker).toMatchObject({ open: true })
    const calls = w.writes()
    const [later] = await w.propose([{ capability: 'thing.keyed', args: { id: 'b9' } }])
    await w.executor.step()
    await w.executor.idle()
    expect(w.writes()).toBe(calls)
    expect(await w.action(later!)).toMatchObject({ state: 'planned', attempts: 0 })
    w.provider.on('*', answers(200, { ok: true }))
    await w.engine.sql(`update fibric.breaker set open_until = now() - interval '1 s'`)
    await w.finish()
    for (const id of [...ids, later!]) expect(await w.action(id)).toMatchObject({ state: 'applied' })
    expect(await w.engine.sql('select from fibric.breaker')).toEqual([])
  })
})
