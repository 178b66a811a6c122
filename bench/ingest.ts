/**
 * Ingest: how long an event takes from its arrival to its acknowledgement, and to a consumer. Open loop: events come at
 * their time, whether the ones before are done or not. fsync is on, everything runs in this process, on the embedded
 * PostgreSQL. Beside it, in the same run, a floor: bare rows of the same size.
 *
 *   node bench/ingest.ts [events per second] [seconds]
 */
import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { NewEvent } from '../controller/domain/envelope.ts'
import type { TenantId } from '../controller/domain/ids.ts'
import type { Engine } from '../controller/engine.ts'
import { appendEvents } from '../controller/ingest/append.ts'
import { sequencerOf } from '../controller/ingest/sequencer.ts'
import { openEventBus } from '../controller/operations/ingest.ts'
import type { EmbeddedServer } from '../controller/store/embedded/server.ts'
import { connectOnce, withConnection } from '../controller/store/pool.ts'
import { benchTenants, besideForeignWriter, spread, withEventsDatabase } from './events-world.ts'
import { machine, report } from './measure.ts'

const rate = Number(process.argv[2] ?? 1000)
const seconds = Number(process.argv[3] ?? 10)
const payload = { order_id: 'x'.repeat(16), lines: Array.from({ length: 10 }, (_, n) => ({ sku: `sku-${n}`, n })) }

await withEventsDatabase(async (database, server) => {
  const floor = await floorOf(server)
  const one = await measure(database, await benchTenants(database, 'one', 1))
  const fifty = await measure(database, await benchTenants(database, 'many', 50))
  const besides = await benchTenants(database, 'beside', 1)
  const beside = await besideForeignWriter(server, () => measure(database, besides, 5))
  report({
    machine: machine(),
    load: { eventsPerSecond: rate, seconds, payloadBytes: JSON.stringify(payload).length, keyed: true, fsync: true },
    floor,
    oneTenant: one,
    fiftyTenants: fifty,
    besideA5sForeignWriter: beside,
  })
})

async function measure(database: Engine['database'], ids: readonly TenantId[], forSeconds = seconds) {
  const bus = openEventBus({ database })
  const stopping = new AbortController()
  const sentAt = new Map<string, number>()
  const acknowledged: number[] = []
  const delivered: number[] = []
  const run = randomBytes(4).toString('hex')
  const consumer = `bench:${run}`
  const consuming = ids.map((tenantId) =>
    bus.subscribe(
      { tenantId, consumer, from: 'now' },
      {
        signal: stopping.signal,
        handle: async ({ key }) => {
          const at = sentAt.get(key ?? '')
          if (at !== undefined) delivered.push(performance.now() - at)
        },
      },
    ),
  )
  await sleep(500)
  const total = rate * forSeconds
  const startedAt = performance.now()
  const pending: Promise<unknown>[] = []
  for (let n = 0; n < total; ) {
    const due = Math.min(total, Math.floor(((performance.now() - startedAt) / 1000) * rate))
    for (; n < due; n++) {
      const key = `${run}-${n}`
      // When it was due, not when this loop came to it: a stall counts for everyone it kept waiting.
      const at = startedAt + (n / rate) * 1000
      sentAt.set(key, at)
      const event: NewEvent = { source: 'bench', eventType: 'bench.sent', payload, origin: 'api', key }
      pending.push(
        appendEvents(database, ids[n % ids.length]!, [event]).then(() => acknowledged.push(performance.now() - at)),
      )
    }
    await sleep(1)
  }
  await Promise.all(pending)
  const tookS = (performance.now() - startedAt) / 1000
  await sequencerOf(database).settled()
  for (let waited = 0; delivered.length < total && waited < 200; waited++) await sleep(50)
  stopping.abort()
  await Promise.all(consuming)
  await bus.close()
  return {
    events: total,
    perSecond: Math.round(total / tookS),
    acknowledgedMs: spread(acknowledged),
    deliveredMs: spread(delivered),
    lost: total - delivered.length,
  }
}

/**
 * Bare rows of the payload's size without keys, positions or walls, over eight connections: first one commit each as fast
 * as they go, then at the rate of the events, each row sent when it is due and what waits for a connection sent together.
 */
async function floorOf({ owner }: EmbeddedServer) {
  const bytes = Buffer.from(JSON.stringify(payload))
  const insert = 'insert into public.floor (bytes) select * from unnest($1::bytea[])'
  await withConnection(owner, 'floor', (connection) =>
    connection.simple('create table public.floor (id bigint generated always as identity primary key, bytes bytea)'),
  )
  const connections = await Promise.all(Array.from({ length: 8 }, () => connectOnce(owner, 'floor')))
  const until = performance.now() + 3000
  const counts = await Promise.all(
    connections.map(async (connection) => {
      let count = 0
      for (; performance.now() < until; count++) await connection.prepared(insert, [[bytes]])
      return count
    }),
  )
  const committedMs: number[] = []
  const free = [...connections]
  const total = rate * seconds
  const startedAt = performance.now()
  const running: Promise<void>[] = []
  for (let sent = 0; sent < total; await sleep(1)) {
    const due = Math.min(total, Math.floor(((performance.now() - startedAt) / 1000) * rate))
    const connection = due > sent ? free.shift() : undefined
    if (connection === undefined) continue
    const batch = Array.from({ length: due - sent }, (_, n) => startedAt + ((sent + n) / rate) * 1000)
    sent = due
    const work = connection.prepared(insert, [batch.map(() => bytes)]).then(() => {
      committedMs.push(...batch.map((at) => performance.now() - at))
      free.push(connection)
    })
    running.push(work)
  }
  await Promise.all(running)
  for (const connection of connections) await connection.close()
  const commits = counts.reduce((sum, count) => sum + count, 0)
  return { commitsPerSecond: Math.round(commits / 3), committedMs: spread(committedMs) }
}
