/**
 * Ingest: how long an event takes from its arrival to its acknowledgement, and to a consumer. Open loop: events come at
 * their time, whether the ones before are done or not. fsync is on, everything runs in this process, on the embedded
 * PostgreSQL. Beside it, in the same run, a floor: bare rows of the same size, one commit each, as fast as they go.
 *
 *   node bench/ingest.ts [events per second] [seconds]
 */
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { NewEvent } from '../controller/domain/envelope.ts'
import type { Slug, TenantId } from '../controller/domain/ids.ts'
import { appendEvents } from '../controller/ingest/append.ts'
import { sequencerOf } from '../controller/ingest/sequencer.ts'
import { openEventBus } from '../controller/operations/ingest.ts'
import { type Database, openDatabase } from '../controller/store/connect.ts'
import { createDomain } from '../controller/store/domains.ts'
import { startEmbedded } from '../controller/store/embedded/server.ts'
import { connectOnce, withConnection } from '../controller/store/pool.ts'
import { type RootKey, rootKeySource } from '../controller/tenancy/root-key.ts'
import { machine, report } from './measure.ts'

const rate = Number(process.argv[2] ?? 1000)
const seconds = Number(process.argv[3] ?? 10)
const payload = { order_id: 'x'.repeat(16), lines: Array.from({ length: 10 }, (_, n) => ({ sku: `sku-${n}`, n })) }

const folder = mkdtempSync(join(tmpdir(), 'fibric-bench-'))
const dataDirectory = join(folder, '.fibric')
try {
  const server = await startEmbedded({ dataDirectory })
  const database = await openDatabase<RootKey>({
    databaseUrl: null,
    appUrl: null,
    workerUrl: null,
    dataDirectory,
    searchPath: '',
    rootKey: rootKeySource({ dataDirectory, keyText: null }),
    migrate: 'apply',
  })
  const floor = await floorOf(server.owner)
  const one = await measure(database, await tenants(database, 'one', 1))
  const fifty = await measure(database, await tenants(database, 'many', 50))
  const beside = await besideForeignWriter(database, server.superuser)
  report({
    machine: machine(),
    load: { eventsPerSecond: rate, seconds, payloadBytes: JSON.stringify(payload).length, keyed: true, fsync: true },
    floorCommitsPerSecond: floor,
    oneTenant: one,
    fiftyTenants: fifty,
    besideA5sForeignWriter: beside,
  })
  await database.close('leave')
  await server.stop()
} finally {
  rmSync(folder, { recursive: true, force: true })
}

async function tenants(database: Database<RootKey>, name: string, count: number): Promise<TenantId[]> {
  const ids = Array.from({ length: count }, (_, n) => `t_${name}${n}` as TenantId)
  for (const tenantId of ids) {
    const domain = {
      tenantId,
      resellerId: null,
      slug: tenantId.slice(2) as Slug,
      ledgerId: `l_${randomBytes(8).toString('hex')}`,
      now: new Date().toISOString(),
    }
    await database.asWorker([tenantId], (tx) => createDomain(tx, domain))
  }
  return ids
}

async function measure(database: Database<RootKey>, ids: readonly TenantId[], forSeconds = seconds) {
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

/** The same while a transaction of another database writes and stays open for five seconds. */
async function besideForeignWriter(database: Database<RootKey>, superuser: Parameters<typeof connectOnce>[0]) {
  await withConnection(superuser, 'bench', (connection) => connection.simple('create database foreign_work'))
  const foreign = await connectOnce({ ...superuser, database: 'foreign_work' }, 'bench')
  await foreign.simple('create table public.held (n int); begin; insert into public.held values (1)')
  const result = await measure(database, await tenants(database, 'beside', 1), 5)
  await foreign.simple('commit')
  await foreign.close()
  return result
}

/** Bare rows of the payload's size, one commit each, eight connections: what no log could be faster than. */
async function floorOf(owner: Parameters<typeof connectOnce>[0]): Promise<number> {
  const bytes = Buffer.from(JSON.stringify(payload))
  await withConnection(owner, 'floor', (connection) =>
    connection.simple('create table public.floor (id bigint generated always as identity primary key, bytes bytea)'),
  )
  const until = performance.now() + 3000
  const counts = await Promise.all(
    Array.from({ length: 8 }, () =>
      withConnection(owner, 'floor', async (connection) => {
        let count = 0
        for (; performance.now() < until; count++) {
          await connection.prepared('insert into public.floor (bytes) values ($1)', [bytes])
        }
        return count
      }),
    ),
  )
  return Math.round(counts.reduce((sum, count) => sum + count, 0) / 3)
}

function spread(values: readonly number[]) {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (share: number): number =>
    Math.round((sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN) * 10) / 10
  return { p50: at(0.5), p99: at(0.99), max: at(1) }
}
