import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { answers, type Behaviour, hangsUp } from '../../support/provider.ts'
import { startWorld, type World } from './world.ts'

let w: World
let made = 0
beforeAll(async () => {
  w = await startWorld()
})
beforeEach(async () => {
  await w.engine.sql('delete from fibric.effect_queue')
  w.provider.forget()
})
afterEach(() => expect(w.failures).toEqual([]))
afterAll(() => w.close())

const ok = answers(200, { ok: true })

/** Writes get one answer after the other, the last one again and again; reads say whatever `reads` says. */
function script(writes: readonly Behaviour[], reads: Behaviour = ok): void {
  let next = 0
  w.provider.on('*', (request, response, socket) => {
    const does = request.method === 'GET' ? reads : writes[Math.min(next++, writes.length - 1)]!
    return does(request, response, socket)
  })
}

async function run(capability: string): Promise<Awaited<ReturnType<World['action']>>> {
  const [id] = await w.propose([{ capability, args: { id: `d${++made}` } }])
  await w.finish()
  return w.action(id!)
}

describe('an effect in doubt', () => {
  const rows: { name: string; tool: string; writes: Behaviour[]; reads?: Behaviour; state: string; sent: number }[] = [
    {
      name: 'a blind one goes to a person and is never sent again',
      tool: 'thing.blind',
      writes: [hangsUp],
      state: 'manual',
      sent: 1,
    },
    {
      name: 'an idempotent one is sent again',
      tool: 'thing.idempotent',
      writes: [hangsUp, ok],
      state: 'applied',
      sent: 2,
    },
    {
      name: 'a keyed one is sent again with its key',
      tool: 'thing.keyed',
      writes: [answers(500, {}), ok],
      state: 'applied',
      sent: 2,
    },
    {
      name: 'a re-send that is refused for good ends it',
      tool: 'thing.idempotent',
      writes: [hangsUp, answers(422, {})],
      state: 'failed',
      sent: 2,
    },
    {
      name: 'doubt upon doubt is sent again until it is known',
      tool: 'thing.idempotent',
      writes: [hangsUp, answers(500, {}), hangsUp, ok],
      state: 'applied',
      sent: 4,
    },
    {
      name: 'a re-send that was not done is tried once more',
      tool: 'thing.keyed',
      writes: [hangsUp, answers(425, {}), ok],
      state: 'applied',
      sent: 3,
    },
    ...[401, 403, 307].map((status) => ({
      name: `a ${status} turned the re-send away, and says nothing of the first attempt: it is sent again`,
      tool: 'thing.keyed',
      writes: [hangsUp, answers(status, {}, status === 307 ? { location: '/elsewhere' } : {}), ok],
      state: 'applied',
      sent: 3,
    })),
    ...[404, 409, 410, 412].map((status) => ({
      name: `a ${status} on a re-send may be our own first attempt, and a person decides`,
      tool: 'thing.keyed',
      writes: [hangsUp, answers(status, {})],
      state: 'manual',
      sent: 2,
    })),
    ...[404, 410].map((status) => ({
      name: `a ${status} on a re-send of an idempotent DELETE says it is gone`,
      tool: 'thing.delete',
      writes: [hangsUp, answers(status, {})],
      state: 'applied',
      sent: 2,
    })),
    {
      name: 'a 409 on a re-send of an idempotent DELETE settles nothing',
      tool: 'thing.delete',
      writes: [hangsUp, answers(409, {})],
      state: 'manual',
      sent: 2,
    },
    {
      name: 'a queryable one is asked about, and was applied',
      tool: 'thing.ask',
      writes: [hangsUp],
      reads: answers(200, { ok: true }),
      state: 'applied',
      sent: 1,
    },
  ]
  test.each(rows)('$name', async ({ tool, writes, reads, state, sent }) => {
    script(writes, reads)
    const action = await run(tool)
    expect(action.state).toBe(state)
    expect(w.writes()).toBe(sent)
    const keys = w.provider.received.flatMap(({ headers }) => headers['idempotency-key'] ?? [])
    expect(new Set(keys).size).toBeLessThanOrEqual(1)
  })

  test('a queryable one that is not there fails only once the provider has had its time', async () => {
    script([answers(202, {})], answers(200, { ok: false }))
    const [id] = await w.propose([{ capability: 'thing.ask', args: { id: `d${++made}` } }])
    await w.executor.drain()
    expect(await w.action(id!)).toMatchObject({ state: 'unknown' })
    w.engine.time.now += 31_000
    await w.finish()
    expect(await w.action(id!)).toMatchObject({ state: 'failed' })
    expect(w.writes()).toBe(1)
  })

  test('a keyed one past half its key window goes to a person', async () => {
    script([hangsUp, ok])
    const [id] = await w.propose([{ capability: 'thing.keyed', args: { id: `d${++made}` } }])
    await w.executor.step()
    await w.executor.idle()
    w.engine.time.now += 61 * 60_000
    await w.finish()
    expect(await w.action(id!)).toMatchObject({ state: 'manual' })
    expect(w.writes()).toBe(1)
  })

  test('a conditional one is sent again under the version it was judged by', async () => {
    script([hangsUp, ok], answers(200, { ok: true, etag: '"v1"' }))
    const action = await run('thing.match')
    expect(action.state).toBe('applied')
    const versions = w.provider.received.flatMap(({ method, headers }) =>
      method === 'PUT' ? [headers['if-match']] : [],
    )
    expect(versions).toEqual(['"v1"', '"v1"'])
    expect(w.provider.received.filter(({ method }) => method === 'GET')).toHaveLength(1)
  })

  test('is not sent again when the rules in force no longer allow it: a person decides', async () => {
    script([hangsUp, ok])
    const [id] = await w.propose([{ capability: 'thing.idempotent', args: { id: `d${++made}` } }])
    await w.executor.step()
    await w.executor.idle()
    w.engine.write({
      'tenants/acme/policies/freeze.yaml':
        'apiVersion: fibric.io/v1\nkind: TrustPolicy\nmetadata: {name: freeze}\nspec: {rules: [{id: freeze, match: {capability: "thing.idempotent"}, decision: BLOCK}]}\n',
    })
    await w.engine.apply()
    await w.finish()
    expect(await w.action(id!)).toMatchObject({ state: 'manual' })
    expect(w.writes()).toBe(1)
    w.engine.write({ 'tenants/acme/policies/freeze.yaml': null })
    await w.engine.apply()
  })

  test('keeps its entity: later ones wait, and go on once a person has decided', async () => {
    script([hangsUp, ok])
    const [first] = await w.propose([{ capability: 'thing.blind', args: { id: 'kept' } }])
    await w.finish()
    const [second] = await w.propose([{ capability: 'thing.keyed', args: { id: 'kept' } }])
    await w.finish()
    expect(await w.action(first!)).toMatchObject({ state: 'manual' })
    expect(await w.action(second!)).toMatchObject({ state: 'planned' })
    expect(w.writes()).toBe(1)
    const { controlAction } = await import('../../../controller/operations/actions.ts')
    await controlAction(w.engine, first!, 'applied', 'seen at the provider')
    await w.finish()
    expect(await w.action(first!)).toMatchObject({ state: 'applied' })
    expect(await w.action(second!)).toMatchObject({ state: 'applied' })
    const receipt = (await w.receipts()).find((each) => each.action_id === first)
    expect(receipt).toMatchObject({ outcome: 'applied', cause: 'it happened, says local:test: seen at the provider' })
    expect(await w.entries('control.action.resolve')).toMatchObject([
      { person: 'local:test', details: { happened: true } },
    ])
  })

  test('lets later ones pass where the tool says so', async () => {
    script([hangsUp, ok])
    const [first] = await w.propose([{ capability: 'thing.pass', args: { id: 'passed' } }])
    await w.finish()
    const [second] = await w.propose([{ capability: 'thing.keyed', args: { id: 'passed' } }])
    await w.finish()
    expect(await w.action(first!)).toMatchObject({ state: 'manual' })
    expect(await w.action(second!)).toMatchObject({ state: 'applied' })
  })

  test('what was counted for it stays counted, and is given back when it did not happen', async () => {
    script([hangsUp])
    const counted = async () =>
      (
        await w.engine.sql<{ count: string }>(
          `select coalesce(sum(count), 0)::text as count from fibric.effect_minute where capability = 'thing.pass' and dimension = 'capability'`,
        )
      )[0]!.count
    const before = Number(await counted())
    const action = await run('thing.pass')
    expect(Number(await counted())).toBe(before + 1)
    const { controlAction } = await import('../../../controller/operations/actions.ts')
    await controlAction(w.engine, action.action_id, 'failed', 'not there')
    expect(Number(await counted())).toBe(before)
  })
})
