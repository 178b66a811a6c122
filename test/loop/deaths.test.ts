import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { FibricError } from '../../controller/domain/errors.ts'
import { deathsMax, Runner } from '../../controller/loop/deliveries.ts'
import type { OperatorInForce } from '../../controller/loop/operators.ts'
import { Recorder } from '../../controller/loop/recorder.ts'
import { operatorsOf } from '../../controller/operations/operators.ts'
import type { Database } from '../../controller/store/connect.ts'
import { startWorld, type World } from '../executor/effects/world.ts'
import { answers } from '../support/provider.ts'

const yaml = `apiVersion: fibric.io/v1
kind: Operator
metadata: {name: keeper}
spec:
  trigger: {on: [thing.seen]}
  capabilities: [thing.read, thing.keyed]
  sense: [{as: thing, capability: thing.read, args: {id: "\${event.payload.id}"}}]
  reason: {rules: [{when: "thing.ok", propose: [{capability: thing.keyed, args: {id: "\${event.payload.id}"}}]}]}
`

let w: World
let keeper: OperatorInForce
let prefix = 0
/** What is being read right now: runs that are under way. */
const underWay = new Set<string>()
let mostAtOnce = 0
/** Decides when a read of a thing is answered. */
let onRead: (id: string) => void | Promise<void> = () => {}

beforeAll(async () => {
  w = await startWorld({ extra: { 'tenants/acme/operators/keeper.yaml': yaml } })
  keeper = (await operatorsOf(w.engine, 'acme')).find(({ name }) => name === 'keeper')!
})
beforeEach(() => {
  prefix++
  underWay.clear()
  mostAtOnce = 0
  onRead = () => {}
  w.provider.on('*', async (request, response, socket) => {
    const id = request.path.split('-').at(-1)!
    underWay.add(id)
    mostAtOnce = Math.max(mostAtOnce, underWay.size)
    await onRead(id)
    underWay.delete(id)
    await answers(200, { ok: true })(request, response, socket)
  })
})
afterAll(() => w.close())

const forever = new Promise<never>(() => {})

/** One process: from its death on nothing of it reaches the database any more. */
interface Life {
  run(id: string): Promise<string>
  die(): void
  end(): void
}

function live({ calmMs = 1, awayMs = 60_000, database = w.engine.database as Database } = {}): Life {
  let dead = false
  const mortal: Database = {
    ...database,
    asWorker: (...call: Parameters<Database['asWorker']>) => (dead ? forever : database.asWorker(...call)) as never,
  }
  const ending = new AbortController()
  const { clock } = w.engine
  const recorder = new Recorder(mortal, clock, null)
  const runner = new Runner({ connector: w.connector, clock, signal: ending.signal }, mortal, recorder, {
    ...{ calmMs, awayMs, aloneMs: 60_000, aloneAgainMs: 60_000 },
  })
  return {
    async run(id) {
      const result = await runner.run(keeper, occasion(id))
      return dead ? forever : (result?.kind ?? 'ended before')
    },
    die: () => {
      dead = true
    },
    end: () => ending.abort(),
  }
}

function occasion(id: string) {
  const event = {
    event_id: `ev_deaths_${prefix}_${id}`,
    reseller_id: null,
    tenant_id: keeper.domain.tenant_id,
    workspace_id: null,
    source: 'shop',
    event_type: 'thing.seen',
    correlation_id: `co_${prefix}_${id}`,
    payload: { id: `${prefix}-${id}` },
    agent_id: null,
    session_id: null,
  }
  const { event_id: key, correlation_id: correlationId } = event
  return { deliveryId: key, event, key, correlationId, depth: 0 }
}

async function rows(): Promise<{ [id: string]: { state: string; deaths: number } }> {
  const found = await w.engine.sql<{ event_id: string; state: string; deaths: number }>(
    'select event_id, state, deaths from fibric.run where event_id like $1 order by 1',
    [`ev_deaths_${prefix}_%`],
  )
  return Object.fromEntries(
    found.map(({ event_id, state, deaths }) => [event_id.split('_').at(-1)!, { state, deaths }]),
  )
}

/** Brings all of them as a bus does, 64 beside one another and in order, until the process dies; answers what became of them. */
async function stream(life: Life, ids: readonly string[], death: Promise<void>): Promise<string[] | 'died'> {
  const ends: string[] = []
  const left = [...ids.entries()]
  const work = async () => {
    for (let next = left.shift(); next; next = left.shift()) ends[next[0]] = await life.run(next[1])
  }
  const all = Promise.all(Array.from({ length: 64 }, work)).then(() => ends)
  return Promise.race([all, death.then(() => 'died' as const)])
}

/** Processes over one stream, one after another, each killed by the first run of a poison; until one comes through. */
async function livesOver(
  ids: readonly string[],
  poisons: readonly string[],
): Promise<{ lives: number; ends: string[] }> {
  for (let lives = 1; ; lives++) {
    const life = live()
    const death = new Promise<void>((resolve) => {
      onRead = (id) => {
        if (!poisons.includes(id)) return
        life.die()
        resolve()
        return forever
      }
    })
    const ends = await stream(life, ids, death)
    if (ends !== 'died') return { lives, ends }
    if (lives > 30) throw new Error('no process came through')
    underWay.clear()
  }
}

describe('a process that dies', () => {
  test('is held against no run that stood beside: its heir tries them one by one, and only the one being tried is to blame', async () => {
    const ids = ['a', 'b', 'c', 'd']
    onRead = () => forever
    const first = live()
    for (const id of ids) void first.run(id)
    while (underWay.size < ids.length) await sleep(5)
    first.die()
    underWay.clear()
    mostAtOnce = 0
    const heir = live()
    for (const id of ids) void heir.run(id)
    while (underWay.size === 0) await sleep(5)
    const [tried] = underWay
    await sleep(20)
    heir.die()
    expect(mostAtOnce).toBe(1)
    const deaths = Object.entries(await rows()).map(([id, row]) => [id, row.deaths])
    expect(Object.fromEntries(deaths)).toEqual({ a: 0, b: 0, c: 0, d: 0, [tried!]: 1 })
    underWay.clear()
    onRead = () => sleep(20)
    const last = live()
    expect(await Promise.all(ids.map((id) => last.run(id)))).toEqual(ids.map(() => 'proposed'))
    expect(mostAtOnce).toBe(1)
  })

  test('five times of one run sends that one to the dead letters, and nothing beside it', async () => {
    const ids = Array.from({ length: 20 }, (_, n) => `n${n}`)
    const { lives, ends } = await livesOver(ids, ['n7'])
    // Once beside others, then alone, and one that finds it dead.
    expect(lives).toBe(deathsMax + 2)
    expect(ends.filter((end) => end === 'dead')).toHaveLength(1)
    expect(Object.values(await rows()).filter(({ state }) => state === 'recorded')).toHaveLength(19)
    const letters = await w.engine.sql<{ event_id: string; message: string }>(
      'select event_id, message from fibric.dead_letter where event_id like $1',
      [`ev_deaths_${prefix}_%`],
    )
    expect(letters).toEqual([{ event_id: `ev_deaths_${prefix}_n7`, message: 'died 5 times: its process died' }])
  })

  test('of a run far behind in what is brought at once, or of two of them, finds them all the same', async () => {
    const ids = Array.from({ length: 180 }, (_, n) => `n${n}`)
    await livesOver(ids, ['n100', 'n170'])
    const found = Object.entries(await rows())
    expect(found).toHaveLength(180)
    expect(found.filter(([, { state }]) => state === 'dead').map(([id]) => id)).toEqual(['n100', 'n170'])
    expect(found.filter(([, { state }]) => state === 'recorded')).toHaveLength(178)
  })

  test('before a run that it may have died of was tried again adds nothing to its deaths', async () => {
    onRead = () => forever
    for (let lives = 0; lives < 3; lives++) {
      const life = live()
      void life.run('a')
      while (underWay.size === 0) await sleep(5)
      life.die()
      underWay.clear()
    }
    expect((await rows()).a).toEqual({ state: 'begun', deaths: 2 })
    // It waits longer than any of these processes lives.
    for (let lives = 0; lives < 5; lives++) {
      const life = live({ calmMs: 60_000 })
      void life.run('a')
      await sleep(50)
      life.die()
    }
    expect(underWay).toEqual(new Set())
    expect((await rows()).a).toEqual({ state: 'begun', deaths: 2 })
    onRead = () => {}
    expect(await live().run('a')).toBe('proposed')
  })
})

describe('a process that lives', () => {
  test('knows that nobody died when the database was away, however often', async () => {
    let away = false
    const { database } = w.engine
    const flapping: Database = {
      ...database,
      asWorker: ((tenants, work, options) => {
        if (away && options?.access !== 'read only') throw new FibricError('DATABASE_UNAVAILABLE', 'away')
        return database.asWorker(tenants, work, options)
      }) as Database['asWorker'],
    }
    // It was under way when a process died, and is tried alone.
    onRead = () => forever
    const first = live()
    void first.run('a')
    while (underWay.size === 0) await sleep(5)
    first.die()
    const life = live({ database: flapping })
    onRead = () => {
      away = true
    }
    for (let times = 0; times < deathsMax + 2; times++) {
      away = false
      await expect(life.run('a')).rejects.toThrow('away')
    }
    away = false
    onRead = () => {}
    expect(await life.run('a')).toBe('proposed')
  })

  test('and is told to end while a run reads has not died of it, however often', async () => {
    for (let times = 0; times < deathsMax + 2; times++) {
      const life = live()
      onRead = () => forever
      const ended = life.run('a')
      while (underWay.size === 0) await sleep(5)
      life.end()
      await expect(ended).rejects.toThrow('could not be read')
      underWay.clear()
    }
    expect((await rows()).a).toEqual({ state: 'begun', deaths: 0 })
    onRead = () => {}
    expect(await live().run('a')).toBe('proposed')
  })

  describe('while the provider that a run reads is away', () => {
    test.each([401, 429, 500, 503])('has it wait, however often it is tried: HTTP %i', async (status) => {
      const life = live()
      w.provider.on('*', answers(status, {}))
      for (let times = 0; times < deathsMax + 2; times++) {
        await expect(life.run('a')).rejects.toThrow(`HTTP ${status}`)
      }
      expect((await rows()).a).toEqual({ state: 'begun', deaths: 0 })
      w.provider.on('*', answers(200, { ok: true }))
      expect(await life.run('a')).toBe('proposed')
    })

    test('lets it go once that has taken too long, so that the stream goes on', async () => {
      const life = live({ awayMs: 0 })
      w.provider.on('*', answers(503, {}))
      for (let times = 0; times < deathsMax; times++) await expect(life.run('a')).rejects.toThrow('HTTP 503')
      expect(await life.run('a')).toBe('dead')
    })

    test('counts an answer that is about what was asked', async () => {
      const life = live()
      w.provider.on('*', answers(404, {}))
      for (let times = 0; times < deathsMax; times++) await expect(life.run('a')).rejects.toThrow('HTTP 404')
      expect(await life.run('a')).toBe('dead')
    })
  })
})
