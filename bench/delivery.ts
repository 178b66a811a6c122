/**
 * Delivery: how long an event takes from before its append to its consumer, when nothing else happens, and beside a
 * transaction of another database that has written and stays open for as long as it is measured. Beside both, in the same
 * run, a floor: one bare commit of a row of the same size.
 *
 *   node bench/delivery.ts [events] [milliseconds between them]
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { TenantId } from '../controller/domain/ids.ts'
import type { Engine } from '../controller/engine.ts'
import { appendEvents } from '../controller/ingest/append.ts'
import { openEventBus } from '../controller/operations/ingest.ts'
import { withConnection } from '../controller/store/pool.ts'
import { benchTenants, besideForeignWriter, spread, withEventsDatabase } from './events-world.ts'
import { machine, report } from './measure.ts'

const events = Number(process.argv[2] ?? 500)
const everyMs = Number(process.argv[3] ?? 10)
const payload = { order_id: 'x'.repeat(16), lines: Array.from({ length: 10 }, (_, n) => ({ sku: `sku-${n}`, n })) }

await withEventsDatabase(async (database, server) => {
  const [tenantId] = await benchTenants(database, 'delivery', 1)
  const floor = await withConnection(server.owner, 'floor', async (connection) => {
    await connection.simple('create table public.floor (bytes bytea)')
    const bytes = Buffer.from(JSON.stringify(payload))
    return measured(() => connection.prepared('insert into public.floor values ($1)', [bytes]))
  })
  const idle = await deliver(database, tenantId!)
  const beside = await besideForeignWriter(server, () => deliver(database, tenantId!))
  report({
    machine: machine(),
    load: { events, everyMs, payloadBytes: JSON.stringify(payload).length, fsync: true },
    floorCommitMs: floor,
    idle,
    besideForeignWriter: beside,
    targetMs: { besideForeignWriterP99: 50 },
  })
})

async function deliver(database: Engine['database'], tenantId: TenantId) {
  const bus = openEventBus({ database })
  const stopping = new AbortController()
  const sentAt = new Map<string, number>()
  const deliveredMs: number[] = []
  const consuming = bus.subscribe(
    { tenantId, consumer: 'bench:delivery', from: 'now' },
    {
      signal: stopping.signal,
      handle: async ({ event }) => {
        const at = sentAt.get(event.correlation_id)
        if (at !== undefined) deliveredMs.push(performance.now() - at)
      },
    },
  )
  await sleep(300)
  let sent = 0
  const acknowledgedMs = await measured(() => {
    const correlationId = `co_${sent++}_${Math.round(performance.now())}`
    sentAt.set(correlationId, performance.now())
    return appendEvents(database, tenantId, [
      { source: 'bench', eventType: 'bench.sent', payload, origin: 'api', correlationId },
    ])
  })
  for (let waited = 0; deliveredMs.length < events && waited < 200; waited++) await sleep(50)
  stopping.abort()
  await consuming
  await bus.close()
  return { acknowledgedMs, deliveredMs: spread(deliveredMs), lost: events - deliveredMs.length }
}

async function measured(work: () => Promise<unknown>) {
  const tookMs: number[] = []
  for (let n = 0; n < events; n++) {
    const startedAt = performance.now()
    await work()
    tookMs.push(performance.now() - startedAt)
    await sleep(everyMs)
  }
  return spread(tookMs)
}
