import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { controlAction, undoAction } from '../../../controller/operations/actions.ts'
import { start, stop } from '../../../controller/operations/stops.ts'
import { answers, type Behaviour } from '../../support/provider.ts'
import { startWorld, type World } from './world.ts'

let w: World
beforeAll(async () => {
  w = await startWorld()
})
beforeEach(async () => {
  await w.engine.sql('delete from fibric.effect_queue')
  w.provider.forget()
  w.provider.on('*', answers(200, { ok: true, back: 'as it was' }))
})
afterEach(() => expect(w.failures).toEqual([]))
afterAll(() => w.close())

async function states(): Promise<{ [state: string]: number }> {
  const rows = await w.engine.sql<{ state: string; count: string }>(
    `select state, count(*)::text as count from fibric.action where entity_key like 'thing:%' group by 1`,
  )
  return Object.fromEntries(rows.map((row) => [row.state, Number(row.count)]))
}

describe('one key, one effect', () => {
  test('657 identical proposals are one effect and 656 DEDUP receipts', async () => {
    const proposal = { capability: 'thing.keyed', args: { id: 'flood' }, key: 'notify', withinMs: 86_400_000 }
    for (let index = 0; index < 657; index++) await w.propose([proposal])
    const other = w.executorWith({})
    await Promise.all([w.executor.drain(), other.drain()])
    await w.finish()
    expect(await states()).toEqual({ applied: 1, deduplicated: 656 })
    expect(w.writes()).toBe(1)
    const receipts = (await w.receipts()).filter((each) => each.entity_key === 'thing:flood')
    const applied = receipts.find((each) => each.outcome === 'applied')!
    const cited = receipts.filter((each) => String(each.cause).includes(String(applied.action_id)))
    expect(receipts).toHaveLength(657)
    expect(cited).toHaveLength(656)
  })

  test('a key of the author binds as long as it says', async () => {
    const proposal = { capability: 'thing.keyed', args: { id: 'daily' }, key: 'notice', withinMs: 3_600_000 }
    const [first] = await w.propose([proposal])
    await w.finish()
    const [second] = await w.propose([{ ...proposal, args: { id: 'daily', note: 'other' } }])
    await w.finish()
    w.engine.time.now += 3_600_001
    const [third] = await w.propose([proposal])
    await w.finish()
    expect(await w.action(first!)).toMatchObject({ state: 'applied' })
    expect(await w.action(second!)).toMatchObject({ state: 'deduplicated' })
    expect(await w.action(third!)).toMatchObject({ state: 'applied' })
  })

  test('under the default key other arguments are a conflict, and the first claim stands', async () => {
    const same = { eventKey: 'the-event' }
    const [first] = await w.propose([{ capability: 'thing.keyed', args: { id: 'conflict' } }], same)
    const [again] = await w.propose([{ capability: 'thing.keyed', args: { id: 'conflict' } }], same)
    const [other] = await w.propose([{ capability: 'thing.keyed', args: { id: 'conflict', note: 'else' } }], same)
    await w.finish()
    expect(await w.action(first!)).toMatchObject({ state: 'applied' })
    expect(await w.action(again!)).toMatchObject({ state: 'deduplicated' })
    expect(await w.action(other!)).toMatchObject({ state: 'failed', attempts: 0 })
    expect((await w.action(other!)).cause).toContain('idempotency_conflict')
  })

  test('further actions of one plan on an entity with other arguments have keys of their own', async () => {
    const ids = await w.propose([
      { capability: 'thing.keyed', args: { id: 'twice', note: 'one' } },
      { capability: 'thing.keyed', args: { id: 'twice', note: 'two' } },
      { capability: 'thing.keyed', args: { id: 'twice', note: 'one' } },
    ])
    await w.finish()
    const actions = await Promise.all(ids.map((id) => w.action(id)))
    expect(actions.map(({ state }) => state)).toEqual(['applied', 'applied', 'deduplicated'])
    expect(actions[1]!.idempotency_key).toBe(`${actions[0]!.idempotency_key}#2`)
  })

  test('what failed releases its key: the same event brought again is judged anew', async () => {
    w.provider.on('*', answers(400, {}))
    const same = { eventKey: 'fails' }
    const [first] = await w.propose([{ capability: 'thing.keyed', args: { id: 'anew' } }], same)
    await w.finish()
    w.provider.on('*', answers(200, { ok: true }))
    const [second] = await w.propose([{ capability: 'thing.keyed', args: { id: 'anew' } }], same)
    await w.finish()
    expect(await w.action(first!)).toMatchObject({ state: 'failed' })
    expect(await w.action(second!)).toMatchObject({ state: 'applied' })
  })
})

describe('one entity, one at a time', () => {
  test('actions on one entity are sent one after the other, in the order they came', async () => {
    let underWay = 0
    let most = 0
    w.provider.on('*', async (request, response, socket) => {
      most = Math.max(most, ++underWay)
      await sleep(3)
      underWay--
      await answers(200, { ok: true })(request, response, socket)
    })
    const notes = Array.from({ length: 30 }, (_, index) => `n${index}`)
    for (const note of notes) await w.propose([{ capability: 'thing.keyed', args: { id: 'queue', note } }])
    const other = w.executorWith({})
    for (let round = 0; round < 200; round++) {
      await Promise.all([w.executor.drain(), other.drain()])
      const { planned = 0 } = await states()
      if (planned === 0) break
    }
    const sent = w.provider.received.map(({ body }) => (JSON.parse(body) as { note: string }).note)
    expect(most).toBe(1)
    expect(sent).toEqual(notes)
  })

  test('an action starts when the one before it was applied, and is skipped with its receipt when that failed', async () => {
    w.provider.on('/api/things/x1', answers(400, {}))
    const [a, b, c] = await w.propose([
      { capability: 'thing.keyed', args: { id: 'x0' } },
      { capability: 'thing.keyed', args: { id: 'x1' } },
      { capability: 'thing.keyed', args: { id: 'x2' } },
    ])
    await w.finish()
    expect(await w.action(a!)).toMatchObject({ state: 'applied' })
    expect(await w.action(b!)).toMatchObject({ state: 'failed' })
    expect(await w.action(c!)).toMatchObject({ state: 'skipped', cause: `\`${b}\` ended failed` })
    const receipts = (await w.receipts()).filter((each) => [a, b, c].includes(each.action_id as never))
    expect(receipts.map((each) => each.outcome).sort()).toEqual(['applied', 'failed', 'skipped'])
  })

  test('what does not fit the tool, or no connection offers, is rejected at once with its receipt', async () => {
    const ids = await w.propose(
      [
        { capability: 'thing.keyed', args: { nonsense: true } },
        { capability: 'thing.nobody', args: {}, after: [] },
        { capability: 'thing.read', args: { id: 'r' }, after: [] },
        { capability: 'thing.keyed', args: { id: 'other' }, after: [] },
      ],
      { capabilities: ['thing.keyed', 'thing.nobody', 'thing.read'] },
    )
    await w.finish()
    const actions = await Promise.all(ids.map((id) => w.action(id)))
    expect(actions.map(({ state }) => state)).toEqual(['rejected', 'rejected', 'rejected', 'applied'])
    expect(actions.every(({ receipt_id }) => receipt_id !== null)).toBe(true)
  })
})

describe('two executors on one database', () => {
  test('one that was paused and wakes is refused by its old fence, and what it saw is evidence', async () => {
    let release: (() => void) | null = null
    w.provider.on('*', async (request, response, socket) => {
      await new Promise<void>((resolve) => {
        release = resolve
      })
      await answers(200, { ok: true })(request, response, socket)
    })
    const [id] = await w.propose([{ capability: 'thing.blind', args: { id: 'paused' } }])
    await w.executor.step()
    while (release === null) await sleep(5)
    const before = await w.action(id!)
    expect(before).toMatchObject({ state: 'intent' })
    // Its lease runs out while it sleeps; the other takes it for dead.
    await w.engine.sql(`update fibric.lease set until = now() - interval '1 s' where action_id = $1`, [id])
    const other = w.executorWith({})
    await other.drain()
    expect((await w.action(id!)).state).toBe('manual')
    ;(release as () => void)()
    await w.executor.idle()
    expect((await w.action(id!)).state).toBe('manual')
    const late = await w.entries('action.observed_late')
    expect(late).toMatchObject([{ details: { action_id: id, saw: 'applied', fence: before.fence } }])
    expect(w.writes()).toBe(1)
    expect((await w.receipts()).filter((each) => each.action_id === id)).toEqual([])
  })

  test('an answer that comes in while the doubt is open settles it', async () => {
    let release: (() => void) | null = null
    w.provider.on('*', async (request, response, socket) => {
      await new Promise<void>((resolve) => {
        release = resolve
      })
      await answers(200, { ok: true })(request, response, socket)
    })
    const [id] = await w.propose([{ capability: 'thing.blind', args: { id: 'evidence' } }])
    await w.executor.step()
    while (release === null) await sleep(5)
    const { recover } = await import('../../../controller/executor/effects/recover.ts')
    await w.engine.sql(`update fibric.lease set until = now() - interval '1 s' where action_id = $1`, [id])
    await recover(w.executorWith({}).context)
    expect((await w.action(id!)).state).toBe('unknown')
    ;(release as () => void)()
    await w.executor.idle()
    await w.finish()
    expect(await w.action(id!)).toMatchObject({ state: 'applied' })
    expect((await w.receipts()).filter((each) => each.action_id === id)).toHaveLength(1)
    // Its receipt says of the answer what it would have said had it come in time.
    const [late] = await w.entries('action.observed_late').then((entries) => entries.slice(-1))
    const digest = (late!.details as { response_digest: string }).response_digest
    expect(digest).toMatch(/^sha256:/)
    expect((await w.receipts()).filter(({ action_id }) => action_id === id)).toMatchObject([
      { outcome: 'applied', response_digest: digest },
    ])
  })

  test('share the work, and nothing is sent twice', async () => {
    const ids = (
      await Promise.all(
        Array.from({ length: 100 }, (_, index) =>
          w.propose([{ capability: 'thing.keyed', args: { id: `s${index}` } }]),
        ),
      )
    ).flat()
    const other = w.executorWith({})
    await Promise.all([w.executor.drain(), other.drain()])
    await w.finish()
    const paths = w.provider.received.map(({ path }) => path)
    expect(new Set(paths).size).toBe(100)
    expect(paths).toHaveLength(100)
    for (const id of ids) expect((await w.action(id)).state).toBe('applied')
  })
})

describe('a person', () => {
  test('stops a capability: nothing of it is sent, and it goes on when the stop ends', async () => {
    await stop(w.engine, 'acme', { scope: 'capability', name: 'thing.key*' }, 'incident')
    const [stopped] = await w.propose([{ capability: 'thing.keyed', args: { id: 'stopped' } }])
    const [passes] = await w.propose([{ capability: 'thing.idempotent', args: { id: 'passes' } }])
    await w.executor.drain()
    expect(await w.action(stopped!)).toMatchObject({ state: 'planned' })
    expect(await w.action(passes!)).toMatchObject({ state: 'applied' })
    await start(w.engine, 'acme', { scope: 'capability', name: 'thing.key*' }, 'over')
    await w.executor.drain()
    expect(await w.action(stopped!)).toMatchObject({ state: 'applied' })
    expect((await w.entries('control.effect.stop')).length).toBe(1)
    expect((await w.entries('control.effect.start')).length).toBe(1)
  })

  test.each([
    { scope: 'tenant', name: null },
    { scope: 'operator', name: 'keeper' },
    { scope: 'connection', name: 'main' },
  ] as const)('stops by $scope within a second, whatever is being carried out beside', async (what) => {
    const stopping = new AbortController()
    const running = w.executor.run(stopping.signal)
    let enough = false
    const feed = (async () => {
      for (let index = 0; !enough; index++)
        await w.propose([{ capability: 'thing.keyed', args: { id: `${what.scope}${index}` } }])
    })()
    while (w.writes() < 5) await sleep(10)
    await stop(w.engine, 'acme', what, 'incident')
    await sleep(1000)
    const then = await w.actions()
    const begun = new Set(then.filter(({ state }) => state !== 'planned').map(({ action_id }) => action_id))
    while ((await w.actions()).length < then.length + 5) await sleep(50)
    await sleep(300)
    // What was sent before may still be under way on a busy machine; nothing is begun.
    const since = (await w.actions()).filter(({ action_id }) => !begun.has(action_id))
    expect(since.map(({ state }) => state)).toEqual(since.map(() => 'planned'))
    enough = true
    await feed
    await start(w.engine, 'acme', what, 'over')
    stopping.abort()
    await running
  })

  test('cancels what waits, with its receipt', async () => {
    await stop(w.engine, 'acme', { scope: 'tenant', name: null }, 'incident')
    const [id] = await w.propose([{ capability: 'thing.keyed', args: { id: 'cancelled' } }])
    await w.executor.drain()
    const action = await controlAction(w.engine, id!, 'cancel', 'not needed')
    expect(action).toMatchObject({ state: 'cancelled', cause: 'cancelled by local:test: not needed' })
    await start(w.engine, 'acme', { scope: 'tenant', name: null }, 'over')
    await w.finish()
    expect(w.writes()).toBe(0)
    expect((await w.receipts()).filter((each) => each.action_id === id)).toMatchObject([{ outcome: 'cancelled' }])
  })

  test('kills what is under way: the request is aborted, the fence moves, and it is in doubt', async () => {
    let aborted = false
    w.provider.on('*', (_request, response) => {
      response.on('close', () => {
        aborted = true
      })
    })
    const [id] = await w.propose([{ capability: 'thing.blind', args: { id: 'killed' } }])
    const stopping = new AbortController()
    const running = w.executor.run(stopping.signal)
    while (w.writes() === 0) await sleep(10)
    const before = await w.action(id!)
    const action = await controlAction(w.engine, id!, 'kill', 'runs wild')
    expect(action.state).toBe('unknown')
    for (let tries = 0; !aborted && tries < 100; tries++) await sleep(20)
    stopping.abort()
    await running
    expect(aborted).toBe(true)
    const after = await w.action(id!)
    expect(after.fence).toBeGreaterThan(before.fence!)
    expect(after.state).toBe('unknown')
    expect(await w.entries('control.action.kill')).toHaveLength(1)
  })

  test('undoes an applied action through its declared inverse, linked to the receipt', async () => {
    const [id] = await w.propose([{ capability: 'thing.keyed', args: { id: 'undone' } }])
    await w.finish()
    const undone = await undoAction(w.engine, id!)
    expect(undone).toMatchObject({ state: 'applied', capability: 'thing.idempotent' })
    const receipts = await w.receipts()
    const original = receipts.find((each) => each.action_id === id)!
    const inverse = receipts.find((each) => each.action_id === undone.action_id)!
    expect(inverse).toMatchObject({
      compensates: original.receipt_id,
      proposer: { kind: 'person', name: 'local:test' },
    })
    expect(JSON.parse(w.provider.received.at(-1)!.body)).toEqual({ note: 'as it was' })
    const again = await undoAction(w.engine, id!)
    expect(again.state).toBe('deduplicated')
  })
})

test.each([
  { how: 'applied', answer: answers(200, {}), outcome: 'applied' },
  { how: 'refused by the provider', answer: answers(400, {}), outcome: 'failed' },
  { how: 'done again after a doubt', answer: once(answers(500, {}), answers(200, {})), outcome: 'applied' },
  { how: 'put off once', answer: once(answers(425, {}), answers(200, {})), outcome: 'applied' },
])(
  'the receipt of an action that was $how says what the gate had said, and when it was let go',
  async ({ how, answer, outcome }) => {
    w.provider.on('*', answer)
    const [id] = await w.propose([{ capability: 'thing.keyed', args: { id: how.replaceAll(' ', '-') } }])
    await w.finish()
    const { verdict } = await w.action(id!)
    expect(verdict).toMatchObject({ decision: 'ALLOW' })
    const [row] = await w.engine.sql<{ at: string }>(
      `select to_char(intent_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as at from fibric.action where action_id = $1`,
      [id],
    )
    const receipts = (await w.receipts()).filter(({ action_id }) => action_id === id)
    expect(receipts).toMatchObject([{ outcome, verdict, intent_at: row!.at }])
  },
)

function once(first: Behaviour, then: Behaviour): Behaviour {
  let isFirst = true
  return (request, response, socket) => {
    const behaviour = isFirst ? first : then
    isFirst = false
    w.engine.time.now += 1000
    return behaviour(request, response, socket)
  }
}
