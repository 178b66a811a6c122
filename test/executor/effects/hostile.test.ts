import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { FibricError } from '../../../controller/domain/errors.ts'
import type { JsonObject } from '../../../controller/domain/json.ts'
import { Executor } from '../../../controller/executor/effects/executor.ts'
import { recover } from '../../../controller/executor/effects/recover.ts'
import { undoAction } from '../../../controller/operations/actions.ts'
import { withFailpoints } from '../../crash/failpoints.ts'
import { answers, hangsUp, staysSilent, writesRaw } from '../../support/provider.ts'
import { connectorYaml, quickSettings, startWorld, type World } from './world.ts'

let w: World
let made = 0
beforeAll(async () => {
  w = await startWorld()
})
beforeEach(async () => {
  await w.engine.sql('delete from fibric.effect_queue')
  w.provider.forget()
  w.provider.on('*', answers(200, { ok: true }))
  w.failures.length = 0
})
afterAll(() => w.close())

async function propose(capability: string, args: JsonObject = {}): Promise<string> {
  const [id] = await w.propose([{ capability, args: { id: `x${++made}`, ...args } }])
  return id!
}

const stateOf = async (id: string): Promise<string> => (await w.action(id as never)).state

/** Nothing of the database's rows may be like this for a moment. */
async function whileRefused(condition: string, work: () => Promise<void>): Promise<void> {
  await w.engine.sql(`alter table fibric.action add constraint refused check (not (${condition})) not valid`)
  await work().finally(() => w.engine.sql('alter table fibric.action drop constraint refused'))
}

describe('a provider', () => {
  test('that answers with what PostgreSQL cannot keep has its effect applied, and nobody beside it waits', async () => {
    w.provider.on('/api/things/odd', writesRaw(json('{"back": "\\u0000\\ud800"}')))
    const [odd] = await w.propose([{ capability: 'thing.keyed', args: { id: 'odd' } }])
    const beside = await propose('thing.keyed')
    await w.finish()
    expect([await stateOf(odd!), await stateOf(beside)]).toEqual(['applied', 'applied'])
    expect(w.failures).toEqual([])
    // Its answer could not be kept, so it cannot be undone by it: said, not guessed.
    await expect(undoAction(w.engine, odd!)).rejects.toThrow(/cannot be undone/)
  })

  test('that answers twice is believed once: the next request on its connection gets its own answer', async () => {
    const twice = `${json('{"ok": true}')}${json('{"ok": true}')}`
    w.provider.on('/api/things/twice', (_request, response, socket) => {
      response.detachSocket(socket)
      socket.write(twice)
    })
    w.provider.on('/api/things/next', answers(422, { ok: false }))
    const [first] = await w.propose([{ capability: 'thing.keyed', args: { id: 'twice' } }])
    await w.finish()
    const [next] = await w.propose([{ capability: 'thing.keyed', args: { id: 'next' } }])
    await w.finish()
    expect([await stateOf(first!), await stateOf(next!)]).toEqual(['applied', 'failed'])
  })

  test('that refuses the first attempt after a second was sent settles nothing: the second may have happened', async () => {
    let release: (() => void) | null = null
    w.provider.on('*', async (request, response, socket) => {
      if (release !== null) return hangsUp(request, response, socket)
      await new Promise<void>((resolve) => {
        release = resolve
      })
      await answers(400, {})(request, response, socket)
    })
    const id = await propose('thing.keyed')
    await w.executor.step()
    while (release === null) await sleep(5)
    // It is taken for dead, and the other sends again, and is hung up on: in doubt as before.
    await w.engine.sql(`update fibric.lease set until = now() - interval '1 s' where action_id = $1`, [id])
    const other = w.executorWith({ backoffMs: () => 60_000 })
    await recover(other.context)
    await other.step()
    await other.idle()
    expect(await w.action(id as never)).toMatchObject({ state: 'unknown', attempts: 2 })
    ;(release as () => void)()
    await w.executor.idle()
    expect(await w.action(id as never)).toMatchObject({
      state: 'unknown',
      attempt: { late: { kind: 'failed', number: 1 } },
    })
    w.provider.on('*', answers(200, { ok: true }))
    await w.finish()
    expect(await w.action(id as never)).toMatchObject({ state: 'applied', attempts: 3 })
  })
})

test('hostile regular expressions in a tenant’s rule and tool are linear: it gets its answer, and others theirs', async () => {
  // Any backtracking engine takes longer over this than there is time.
  const note = `${'a'.repeat(60)}!`
  const hostile = await startWorld({
    rules: [
      '{id: things, match: {capability: "thing.*"}, decision: ALLOW}',
      `{id: slow, match: {capability: thing.keyed, when: 're(action.args.note, "^(a+)+$")'}, decision: BLOCK}`,
    ],
    extra: {
      'tenants/_platform/connectors/lab.yaml': connectorYaml.replace(
        'note: {type: string}',
        'note: {type: string, pattern: "^(a|a)*!?$"}',
      ),
    },
  })
  try {
    hostile.provider.on('*', answers(200, { ok: true }))
    const mine = await hostile.propose([{ capability: 'thing.keyed', args: { id: 'mine', note } }])
    const theirs = await hostile.propose([{ capability: 'thing.keyed', args: { id: 'theirs' } }], {
      domain: await hostile.domain('beta'),
    })
    await hostile.finish()
    const states = await Promise.all([...mine, ...theirs].map(async (id) => (await hostile.action(id)).state))
    expect(states).toEqual(['applied', 'applied'])
    expect(hostile.failures).toEqual([])
  } finally {
    await hostile.close()
  }
})

test('a tenant whose provider hangs leaves places to the others', async () => {
  w.provider.on('*', staysSilent)
  const beta = { domain: await w.domain('beta') }
  w.provider.on('/api/things/beta', answers(200, { ok: true }))
  // Both are known to this process before one of them hangs.
  const executor = w.executorWith({ maxInFlight: 32, backoffMs: () => 60_000 })
  await w.propose([{ capability: 'thing.keyed', args: { id: 'beta' } }], beta)
  await executor.drain()
  for (let index = 0; index < 40; index++) await propose('thing.keyed')
  for (let round = 0; round < 4; round++) await executor.step()
  const [id] = await w.propose([{ capability: 'thing.keyed', args: { id: 'beta', note: 'again' } }], beta)
  const hanging = async () =>
    (await w.actions()).filter(({ action_id, state }) => action_id !== id && state === 'intent').length
  const places = await hanging()
  expect(places).toBeGreaterThan(0)
  // Until the tool gives up, two seconds after it sent: that places come free then proves nothing.
  while ((await stateOf(id!)) !== 'applied' && (await hanging()) >= places) {
    await executor.step()
    await sleep(10)
  }
  expect(await stateOf(id!)).toBe('applied')
  await executor.idle()
})

test('no more is under way than a process may leave in doubt, however many domains it serves', async () => {
  w.provider.on('*', staysSilent)
  const beta = { domain: await w.domain('beta') }
  const executor = w.executorWith({ maxInFlight: 3, backoffMs: () => 60_000 })
  for (let index = 0; index < 4; index++) {
    await propose('thing.keyed')
    await w.propose([{ capability: 'thing.keyed', args: { id: `beta${index}` } }], beta)
  }
  for (let round = 0; round < 5; round++) {
    await executor.step()
    const underWay = await w.engine.sql<{ tenant_id: string }>(
      `select tenant_id from fibric.action where effect is not null and state = 'intent'`,
    )
    expect(underWay.length).toBeLessThanOrEqual(3)
    if (round === 0) expect(new Set(underWay.map(({ tenant_id }) => tenant_id)).size).toBe(2)
  }
  await executor.idle()
})

describe('one action that cannot be worked on', () => {
  test('because what the gate would be asked is broken keeps nobody else waiting', async () => {
    const broken = await propose('thing.keyed')
    await w.engine.sql(`update fibric.action set gate_input = '{}' where action_id = $1`, [broken])
    const beside = await propose('thing.keyed')
    await w.executor.step()
    await w.executor.idle()
    expect([await stateOf(broken), await stateOf(beside)]).toEqual(['planned', 'applied'])
    expect(w.failures.join()).toContain(broken)
  })

  test('because the database refuses its claim keeps nobody else waiting', async () => {
    const [refused] = await w.propose([{ capability: 'thing.keyed', args: { id: 'refused' } }])
    const beside = await propose('thing.keyed')
    await whileRefused(`entity_key = 'thing:refused' and state = 'intent'`, async () => {
      // PostgreSQL says what it refuses before it lets go of what that had locked: whoever looks right then passes it over.
      for (let look = 0; look < 100 && !w.failures.join().includes(refused!); look++) {
        await w.executor.step()
        await w.executor.idle()
      }
      expect(w.failures.join()).toContain(refused)
      expect([await stateOf(refused!), await stateOf(beside)]).toEqual(['planned', 'applied'])
    })
    await w.finish()
    expect(await stateOf(refused!)).toBe('applied')
  })

  test('because the database refuses its outcome becomes a doubt, and those beside it are settled', async () => {
    const [unkept] = await w.propose([{ capability: 'thing.keyed', args: { id: 'unkept' } }])
    const beside = await propose('thing.keyed')
    const patient = w.executorWith({ backoffMs: () => 60_000 })
    await whileRefused(`entity_key = 'thing:unkept' and state = 'applied'`, async () => {
      await patient.step()
      await patient.idle()
      expect([await stateOf(unkept!), await stateOf(beside)]).toEqual(['unknown', 'applied'])
    })
    await w.finish()
    expect(await stateOf(unkept!)).toBe('applied')
  })

  test.each([
    { name: 'U+0000', args: { id: 'nul', note: 'a\0b' } },
    { name: 'half a surrogate pair', args: { id: 'half', note: 'a\ud800b' } },
  ])('because of $name is refused with its receipt, and what was refused can be read', async ({ args }) => {
    const [id] = await w.propose([{ capability: 'thing.keyed', args }])
    expect(await stateOf(id!)).toBe('rejected')
    expect((await w.receipts()).filter(({ action_id }) => action_id === id)).toMatchObject([{ outcome: 'rejected' }])
  })
})

test('an outcome whose commit was answered by silence is settled once, and nothing late is said of it', async () => {
  let lost = 0
  const database = withFailpoints(w.engine.database as never, async (point) => {
    if (point.includes('after commit') && settling && lost++ === 0)
      throw new FibricError('DATABASE_UNAVAILABLE', 'the connection was lost during commit')
    if (point.includes('settle_effects')) settling = true
  })
  let settling = false
  const { connector, engine } = w
  const failures: unknown[] = []
  const executor = new Executor({
    database,
    connector,
    clock: engine.clock,
    settings: quickSettings,
    onFailure: (error) => failures.push(error),
  })
  const before = (await w.entries('action.observed_late')).length
  const id = await propose('thing.keyed')
  await executor.drain()
  expect(lost).toBeGreaterThan(0)
  expect(failures).toHaveLength(1)
  expect(await stateOf(id)).toBe('applied')
  expect(await w.entries('action.observed_late')).toHaveLength(before)
  expect((await w.receipts()).filter(({ action_id }) => action_id === id)).toHaveLength(1)
})

test('a key whose time is over still binds while its action is in doubt', async () => {
  w.provider.on('*', hangsUp)
  const proposal = { capability: 'thing.pass', args: { id: 'binds' }, key: 'notice', withinMs: 60_000 }
  const [first] = await w.propose([proposal])
  await w.finish()
  w.engine.time.now += 120_000
  const [second] = await w.propose([proposal])
  await w.finish()
  expect([await stateOf(first!), await stateOf(second!)]).toEqual(['manual', 'deduplicated'])
})

function json(body: string): string {
  return `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
}
