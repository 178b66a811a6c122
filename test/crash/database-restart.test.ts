import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { FibricError } from '../../controller/domain/errors.ts'
import { startLoop } from '../../controller/loop/start.ts'
import { openEventBus } from '../../controller/operations/ingest.ts'
import { connectOnce, type OwnedConnection } from '../../controller/store/pool.ts'
import { quickSettings, startWorld, type World } from '../executor/effects/world.ts'
import { findFaults } from './ledger-state.ts'
import { type OwnServer, startOwnServer } from './own-server.ts'
import { provideTruly } from './true-provider.ts'

const operator = `apiVersion: fibric.io/v1
kind: Operator
metadata: {name: keeper}
spec:
  trigger: {on: [thing.seen]}
  capabilities: [thing.keyed, thing.idempotent]
  reason:
    rules:
      - when: "true"
        propose:
          - {capability: thing.keyed, args: {id: "\${event.payload.id}-keyed"}}
          - {capability: thing.idempotent, args: {id: "\${event.payload.id}-idempotent"}}
`

let server: OwnServer
let w: World
beforeAll(async () => {
  server = await startOwnServer({ max_prepared_transactions: '4' })
  w = await startWorld({ extra: { 'tenants/acme/operators/keeper.yaml': operator }, open: server.open })
  Object.defineProperty(w.engine.time, 'now', { get: () => Date.now() })
})
afterAll(() => w.close())

async function count(sql: string): Promise<number> {
  const [row] = await w.engine.sql<{ n: number }>(sql)
  return row!.n
}

const appliedSql = `select count(*)::integer as n from fibric.action where effect is not null and state = 'applied'`

/** A loop beside which work is done; whatever goes wrong in it has to go right later. */
async function beside<T>(work: (bus: ReturnType<typeof openEventBus>) => Promise<T>): Promise<T> {
  const stopping = new AbortController()
  const bus = openEventBus(w.engine)
  const loop = startLoop(w.engine, {
    connector: w.connector,
    bus,
    signal: stopping.signal,
    settings: { ...quickSettings, leaseMarginMs: 1000 },
    onFailure: (error) => {
      if (!(error instanceof FibricError) || error.code !== 'DATABASE_UNAVAILABLE') w.failures.push(String(error))
    },
  })
  try {
    await loop.refresh()
    return await work(bus)
  } finally {
    stopping.abort()
    await loop.ended
    await bus.close()
  }
}

test('PostgreSQL restarted under load, by a stop and by a crash: everything goes on, and nothing is lost or doubled', async () => {
  const { effects } = provideTruly(w.provider, { lies: () => false, delayMs: () => 5 })
  const { tenant_id } = await w.domain()
  let acknowledged = 0
  await beside(async (bus) => {
    let enough = false
    const producer = (async () => {
      for (let sent = 0; !enough; ) {
        const id = `p${sent}`
        const event = { source: 'shop', eventType: 'thing.seen', payload: { id }, origin: 'api' as const, key: id }
        // A sender that got no acknowledgement sends the same again, with its key.
        const published = await bus.publish(tenant_id, [event]).catch((error: unknown) => {
          if (!(error instanceof FibricError)) throw error
        })
        if (published) acknowledged = ++sent
        await sleep(published ? 5 : 50)
      }
    })()
    for (const how of ['fast', 'immediate', 'fast', 'immediate'] as const) {
      const before = acknowledged
      while (acknowledged < before + 30) await sleep(20)
      await server.restart(how)
    }
    const before = acknowledged
    while (acknowledged < before + 30) await sleep(20)
    enough = true
    await producer
    for (let tries = 0; tries < 600 && (await count(appliedSql)) < 2 * acknowledged; tries++) await sleep(100)
  })
  expect(w.failures).toEqual([])
  expect(acknowledged).toBeGreaterThanOrEqual(150)
  expect(await count(appliedSql)).toBe(2 * acknowledged)
  expect(effects.size).toBe(2 * acknowledged)
  expect([...effects].filter(([, times]) => times !== 1)).toEqual([])
  expect(await findFaults(server.superuser)).toEqual([])
})

test('a prepared transaction left behind and one that writes in another database: effects go on beside them', async () => {
  provideTruly(w.provider, { lies: () => false, delayMs: () => 0 })
  const { tenant_id } = await w.domain()
  const foreign: OwnedConnection[] = [
    await connectOnce(server.superuser, 'left behind'),
    await connectOnce({ ...server.superuser, database: 'postgres' }, 'another database'),
  ]
  const [left, other] = foreign as [OwnedConnection, OwnedConnection]
  try {
    await left.simple(`create table public.left_behind (id int)`)
    await left.simple(`begin; insert into public.left_behind values (1); prepare transaction 'left behind'`)
    await other.simple('create table if not exists public.elsewhere (id int)')
    await other.simple('begin; insert into public.elsewhere values (1)')
    const before = await count(appliedSql)
    await beside(async (bus) => {
      const events = Array.from({ length: 20 }, (_, index) => ({
        source: 'shop',
        eventType: 'thing.seen',
        payload: { id: `f${index}` },
        origin: 'api' as const,
      }))
      await bus.publish(tenant_id, events)
      for (let tries = 0; tries < 100 && (await count(appliedSql)) < before + 40; tries++) await sleep(50)
    })
    // Both are still open: nobody waited for them.
    expect(await count(appliedSql)).toBe(before + 40)
    expect(await count('select count(*)::integer as n from pg_prepared_xacts')).toBe(1)
    expect(await findFaults(server.superuser)).toEqual([])
  } finally {
    await left.simple(`rollback prepared 'left behind'`)
    for (const connection of foreign) await connection.close()
  }
})
