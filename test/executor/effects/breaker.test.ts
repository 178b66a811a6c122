import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { ActionId } from '../../../controller/domain/ids.ts'
import { listConnections } from '../../../controller/operations/connections.ts'
import { start, stop } from '../../../controller/operations/stops.ts'
import { answers, type Behaviour } from '../../support/provider.ts'
import { startWorld, type World } from './world.ts'

let w: World
beforeAll(async () => {
  w = await startWorld({
    rules: [
      '{id: things, match: {capability: "thing.*"}, decision: ALLOW}',
      '{id: never, match: {capability: thing.delete}, decision: BLOCK}',
    ],
  })
})
afterAll(() => w.close())
beforeEach(async () => {
  w.provider.on('*', answers(200, { ok: true }))
  await timeIsOver()
  await w.finish()
  await w.engine.sql('delete from fibric.breaker')
  w.provider.forget()
})

const some = (count: number, prefix: string, capability = 'thing.keyed') =>
  w.propose(Array.from({ length: count }, (_, nth) => ({ capability, args: { id: `${prefix}${nth}` }, after: [] })))
const timeIsOver = () => w.engine.sql(`update fibric.breaker set open_until = now() - interval '1 s'`)
const breaker = async () =>
  (
    await w.engine.sql<{ failures: number; open: boolean }>(
      'select failures, open_until > now() as open from fibric.breaker',
    )
  )[0]

/** Opens the breaker with five that are not done. */
async function broken(prefix: string): Promise<ActionId[]> {
  w.provider.on('*', answers(425, {}))
  const ids = await some(5, prefix)
  for (let round = 0; round < 6; round++) {
    await w.executor.step()
    await w.executor.idle()
  }
  expect(await breaker()).toMatchObject({ open: true })
  return ids
}

/** A provider that has a request in hand until it is told to answer. */
function heldBack(): { behaviour: Behaviour; answer: () => void } {
  let answer = (): void => {}
  const told = new Promise<void>((resolve) => {
    answer = resolve
  })
  const behaviour: Behaviour = async (request, response, socket) => {
    await told
    await answers(200, { ok: true })(request, response, socket)
  }
  return { behaviour, answer: () => answer() }
}

describe('a connection whose breaker opened', () => {
  test('is tried by one action when its time is over, whoever asks; the rest wait, and go on when it was done', async () => {
    const ids = [...(await broken('p')), ...(await some(5, 'q'))]
    const held = heldBack()
    w.provider.forget()
    w.provider.on('*', held.behaviour)
    await timeIsOver()
    await w.hurry()
    const replica = w.executorWith({})
    for (let round = 0; round < 5; round++) await Promise.all([w.executor.step(), replica.step()])
    await expect.poll(() => w.writes()).toBe(1)
    await w.hurry()
    for (let round = 0; round < 5; round++) await Promise.all([w.executor.step(), replica.step()])
    expect(w.writes()).toBe(1)
    held.answer()
    await Promise.all([w.executor.idle(), replica.idle()])
    expect(await breaker()).toBeUndefined()
    // What waited for it is due again: nobody waits for a time that means nothing any more.
    const late = await w.engine.sql(
      `select from fibric.effect_queue q join fibric.action a using (tenant_id, action_id) where q.due_at > now() and a.state <> 'unknown'`,
    )
    expect(late).toEqual([])
    await w.executor.drain()
    for (const id of ids) expect(await w.action(id)).toMatchObject({ state: 'applied' })
    expect(w.writes()).toBe(10)
  })

  test('stays open for longer when the one that tried was not done', async () => {
    await broken('f')
    w.provider.forget()
    w.provider.on('*', answers(425, {}))
    await timeIsOver()
    await w.hurry()
    for (let round = 0; round < 5; round++) {
      await w.executor.step()
      await w.executor.idle()
    }
    expect(w.writes()).toBe(1)
    expect(await breaker()).toMatchObject({ failures: 6, open: true })
  })

  test('is left to another when the one that would try it does not get to', async () => {
    await broken('g')
    await timeIsOver()
    const [blocked] = await some(1, 'h', 'thing.delete')
    const [stopped] = await some(1, 'h', 'thing.idempotent')
    const what = { scope: 'capability', name: 'thing.idempotent' } as const
    await stop(w.engine, 'acme', what, 'incident')
    w.provider.forget()
    w.provider.on('*', answers(200, { ok: true }))
    const only = { tenants: [(await w.domain()).tenant_id], actions: [blocked!, stopped!] }
    await w.executor.step(only)
    expect(await w.action(blocked!)).toMatchObject({ state: 'blocked' })
    // It had the right to try, and the claim found the stop.
    expect(await w.action(stopped!)).toMatchObject({ state: 'planned', attempts: 0 })
    expect(await breaker()).toMatchObject({ open: false })
    await start(w.engine, 'acme', what, 'over')
    await w.finish()
    expect(await breaker()).toBeUndefined()
  })

  test('is tried again when the process that tried it is gone', async () => {
    const ids = await broken('k')
    w.provider.forget()
    w.provider.on('*', answers(200, { ok: true }))
    // As a process leaves it that had the right, and died: open until the right runs out.
    await w.engine.sql(`update fibric.breaker set open_until = now() + interval '20 s'`)
    await w.hurry()
    await w.executor.step()
    expect(w.writes()).toBe(0)
    await timeIsOver()
    await w.finish()
    for (const id of ids) expect(await w.action(id)).toMatchObject({ state: 'applied' })
  })

  test('is listed as not ready, with what its actions wait for', async () => {
    await broken('l')
    const [connection] = await listConnections(w.engine, 'acme')
    expect(connection).toMatchObject({ ready: false, reason: 'NotDone' })
    expect(connection!.message).toMatch(
      /^not done 5 times in a row \(HTTP 425.*\): its actions wait, and after .* one of them tries it$/,
    )
  })
})
