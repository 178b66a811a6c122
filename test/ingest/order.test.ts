import { afterAll, beforeAll, expect, test } from 'vitest'
import { appendEvents } from '../../controller/ingest/append.ts'
import { sequenceEvents, sequencerOf, sweepEvents } from '../../controller/ingest/sequencer.ts'
import { openEventBus } from '../../controller/operations/ingest.ts'
import { readFrom } from '../../controller/store/events.ts'
import { withConnection } from '../../controller/store/pool.ts'
import { emptyDatabase, type TestDatabase, testDatabase, testServer } from '../support/database.ts'
import { acme, event, globex, makeDomains } from './world.ts'

let world: TestDatabase

beforeAll(async () => {
  world = await testDatabase()
  await makeDomains(world.database, acme, globex)
})

afterAll(async () => {
  await world.close()
})

const insert = `
  insert into fibric.event (tenant_id, event_id, source, event_type, correlation_id, origin, payload, received_at)
  values ($1, $2, 's', 't.t', 'co_x', 'internal', '{}', now())`

async function log(tenantId = acme) {
  return world.database.asTenant(tenantId, (tx) => readFrom(tx, tenantId, { after: 0, limit: 100_000 }))
}

test('twenty writers that commit out of order lose nothing, with two sequencers at work', async () => {
  const stopping = new AbortController()
  const sequencers = [1, 2].map(async () => {
    while (!stopping.signal.aborted) await sequenceEvents(world.database, [globex, acme])
  })
  const seen = new Map<number, string>()
  const reader = (async () => {
    let after = 0
    while (!stopping.signal.aborted) {
      const events = await world.database.asTenant(acme, (tx) => readFrom(tx, acme, { after, limit: 100 }))
      for (const { position, envelope } of events) seen.set(position, envelope.event_id)
      after = events.at(-1)?.position ?? after
    }
  })()
  const writers = Array.from({ length: 20 }, (_, writer) =>
    withConnection(world.superuser, 'fibric test', async (connection) => {
      for (let n = 0; n < 25; n++) {
        await connection.simple('begin')
        await connection.prepared(insert, [acme, `ev_${writer}_${n}`])
        // Long and short transactions side by side: what began first often commits last.
        await connection.simple(`select pg_sleep(${((writer * 7 + n * 13) % 20) / 1000})`)
        await connection.simple((writer + n) % 11 === 0 ? 'rollback' : 'commit')
      }
    }),
  )
  await Promise.all(writers)
  await sequenceEvents(world.database, [acme])
  await expect.poll(() => seen.size, { timeout: 20_000 }).toBe((await log()).length)
  stopping.abort()
  await Promise.all([...sequencers, reader])
  const committed = Array.from({ length: 20 }, (_, writer) =>
    Array.from({ length: 25 }, (_, n) => ((writer + n) % 11 === 0 ? [] : [`ev_${writer}_${n}`])),
  ).flat(2)
  expect([...seen.keys()].sort((a, b) => a - b)).toEqual(committed.map((_, index) => index + 1))
  expect([...seen.values()].sort()).toEqual([...committed].sort())
})

test('a transaction that stays open holds up its own event and nobody else, and then loses nothing', async () => {
  await withConnection(world.superuser, 'fibric test', async (connection) => {
    const before = (await log(globex)).length
    await connection.simple('begin')
    await connection.prepared(insert, [globex, 'ev_slow'])
    for (let n = 0; n < 3; n++) {
      await appendEvents(world.database, globex, [event({ n })])
      await sequencerOf(world.database).settled()
      expect(await log(globex)).toHaveLength(before + n + 1)
    }
    await connection.simple('commit')
    await sweepEvents(world.database)
    const after = await log(globex)
    expect(after.at(-1)!.envelope.event_id).toBe('ev_slow')
    expect(after.map(({ position }) => position)).toEqual(after.map((_, index) => index + 1))
  })
})

test('a writing transaction in another database delays nobody', async () => {
  const foreign = await emptyDatabase()
  await withConnection(foreign.superuser, 'fibric test', async (connection) => {
    await connection.simple('create table public.held (n int); begin; insert into public.held values (1)')
    const bus = openEventBus(world)
    const claimed = (await bus.claim({ tenantId: globex, consumer: 'operator:beside' }))!
    for (let n = 0; n < 5; n++) {
      await bus.publish(globex, [event({ n })])
      await sequencerOf(world.database).settled()
      const [delivery] = (await claimed.poll(10))!
      expect(delivery!.event.payload).toEqual({ n })
      await claimed.advance(delivery!)
    }
    await bus.close()
    await connection.simple('rollback')
  })
  await foreign.drop()
})

test('what the sequencer looks at does not grow behind a transaction that nobody ends', async () => {
  const foreign = await emptyDatabase()
  await withConnection(foreign.superuser, 'fibric test', async (connection) => {
    await connection.simple('create table public.held (n int); begin; insert into public.held values (1)')
    const events = Array.from({ length: 300 }, (_, n) => event({ n }))
    await appendEvents(world.database, globex, events)
    await sequencerOf(world.database).settled()
    const [lane] = await withConnection(world.superuser, 'fibric test', async (own) => {
      const sql = `select (select count(*) from fibric.event e, fibric.event_lane l
                            where l.tenant_id = $1 and e.tenant_id = $1
                              and (e.xid >= pg_snapshot_xmax(l.seen)::text::bigint
                                   or e.xid in (select pg_snapshot_xip(l.seen)::text::bigint))) as looked_at,
                          (select count(*) from fibric.event e, fibric.event_lane l
                            where l.tenant_id = $1 and e.tenant_id = $1 and e.xid >= pg_snapshot_xmin(l.seen)::text::bigint) as behind_it`
      return (await own.prepared<{ looked_at: number; behind_it: number }>(sql, [globex])).rows
    })
    expect(lane!.behind_it).toBeGreaterThanOrEqual(300)
    expect(lane!.looked_at).toBe(0)
    await connection.simple('rollback')
  })
  await foreign.drop()
})

test('a restored copy in another cluster, where transaction ids begin again, goes on densely', async () => {
  const server = await testServer()
  await withConnection({ ...server.superuser, database: world.owner.database }, 'fibric test', (connection) =>
    connection.simple(`update fibric.event_lane set cluster = 'another', seen = '900000000:900000000:'`),
  )
  const before = (await log(globex)).length
  await appendEvents(world.database, globex, [event()])
  await sequencerOf(world.database).settled()
  const after = await log(globex)
  expect(after).toHaveLength(before + 1)
  expect(after.map(({ position }) => position)).toEqual(after.map((_, index) => index + 1))
})

test('a flood of one domain keeps another waiting for no more than its turn', async () => {
  const flood = Array.from({ length: 40 }, () =>
    appendEvents(
      world.database,
      acme,
      Array.from({ length: 100 }, (_, n) => event({ n })),
    ),
  )
  let ended = 0
  for (const batch of flood) void batch.then(() => ended++)
  await appendEvents(world.database, globex, [event({ small: true })])
  expect(ended).toBeLessThan(flood.length)
  await Promise.all(flood)
  await sequencerOf(world.database).settled()
})
