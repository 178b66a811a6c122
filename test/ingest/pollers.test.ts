import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { TenantId } from '../../controller/domain/ids.ts'
import { appendWithin } from '../../controller/ingest/append.ts'
import type { Poll } from '../../controller/ingest/poll-source.ts'
import { type PollerParts, pollOnce } from '../../controller/ingest/pollers.ts'
import { sequencerOf } from '../../controller/ingest/sequencer.ts'
import { listConnections } from '../../controller/operations/connections.ts'
import { listDeadLetters } from '../../controller/operations/dead-letters.ts'
import { pollerParts } from '../../controller/operations/sources.ts'
import { type TestEngine, testEngine } from '../support/engine.ts'
import { answers, type Provider, startProvider } from '../support/provider.ts'
import { idOf, ordersAnswer, pollingShop } from './polling-shop.ts'

let engine: TestEngine
let provider: Provider
let parts: PollerParts
let polls: readonly Poll[]
let acme: TenantId
const signal = new AbortController().signal

beforeAll(async () => {
  provider = await startProvider()
  engine = await testEngine(pollingShop(provider.port), { now: new Date().toISOString() })
  await engine.apply()
  acme = await idOf(engine, 'acme')
  parts = pollerParts(engine, (error) => {
    throw error
  })
  polls = await parts.source.polls()
})

afterAll(async () => {
  await engine.close()
  await provider.close()
})

beforeEach(async () => {
  provider.forget()
  await engine.sql(`delete from fibric.poller`)
  await engine.sql(`delete from fibric.egress_gate`)
  await engine.sql(`truncate fibric.event, fibric.event_position, fibric.ingest_key, fibric.dead_letter`)
})

const pollOf = (eventType: string): Poll => polls.find((each) => each.eventType === eventType)!
async function poll(eventType: string): Promise<number> {
  await engine.sql(`update fibric.poller set due_at = 'epoch'`)
  return pollOnce(parts, pollOf(eventType), signal)
}
const emitted = async () =>
  (await engine.sql<{ idempotency_key: string }>(`select idempotency_key from fibric.event order by serial`)).map(
    (row) => row.idempotency_key,
  )
const paths = () => provider.received.map(({ path }) => path)
const order = (id: number, at = `2026-01-01T00:00:${String(id).padStart(2, '0')}Z`) => ({ id, updated_at: at })
const condition = async () =>
  (
    await engine.sql<{ reason: string | null; message: string | null; failures: number }>(
      `select reason, message, failures from fibric.poller`,
    )
  )[0]!

describe('the cursor', () => {
  test('begins with everything, and then asks from the last item and its tie-break on', async () => {
    provider.on('/orders', ordersAnswer([order(1), order(2)]))
    await poll('order.updated')
    provider.on('/orders', ordersAnswer([order(2), order(3)]))
    await poll('order.updated')
    expect(await emitted()).toEqual(['order:1', 'order:2', 'order:3'])
    expect(paths()).toEqual(['/orders', '/orders?after=2&since=2026-01-01T00%3A00%3A02Z'])
    const [event] = await engine.sql<{ source: string; origin: string; payload: Buffer }>(
      `select source, origin, payload from fibric.event order by serial limit 1`,
    )
    expect([event!.source, event!.origin, JSON.parse(String(event!.payload))]).toEqual(['orders', 'poll', order(1)])
  })

  test('tells items of one value apart by the tie-break', async () => {
    const at = '2026-01-01T00:00:00Z'
    provider.on('/orders', ordersAnswer([order(1, at), order(2, at)]))
    await poll('order.updated')
    provider.on('/orders', ordersAnswer([order(2, at), order(3, at)]))
    await poll('order.updated')
    expect(await emitted()).toEqual(['order:1', 'order:2', 'order:3'])
  })

  test('finds what appears late within the overlap, once, and not what is later than that', async () => {
    const late = (id: number, second: number) => ({
      id,
      updated_at: `2026-01-01T00:10:${String(second).padStart(2, '0')}Z`,
    })
    provider.on('/late', ordersAnswer([late(1, 30)]))
    await poll('order.late')
    provider.on('/late', ordersAnswer([late(1, 30), late(2, 25), late(3, 10)]))
    await poll('order.late')
    // Whatever became of the keys in the meantime, what was emitted is known by the poll itself.
    await engine.sql(`truncate fibric.ingest_key`)
    await poll('order.late')
    expect(await emitted()).toEqual(['late:1', 'late:2'])
    const [, second] = await engine.sql<{ payload: Buffer }>('select payload from fibric.event order by serial')
    expect(JSON.parse(String(second!.payload))).toEqual({
      ...{ id: 2, since: '2026-01-01T00:10:20Z', of: 3, at: '/v1/t/acme/ingest/orders/order.late' },
    })
    expect(paths().slice(1)).toEqual(['/late?since=2026-01-01T00%3A10%3A20Z', '/late?since=2026-01-01T00%3A10%3A20Z'])
  })

  test('moves at the end of the pages, so that newest first loses nothing, and a pass goes on where it was', async () => {
    const page = (n: number, items: object[], next: string | null) =>
      provider.on(n === 1 ? '/paged' : `/paged/${n}`, answers(200, { orders: items, next }))
    page(1, [order(6), order(5)], '/paged/2')
    page(2, [order(4), order(3)], '/paged/3')
    provider.on('/paged/3', answers(500, {}))
    await poll('order.paged')
    expect(await condition()).toMatchObject({ reason: null })
    await poll('order.paged')
    expect(await condition()).toMatchObject({ reason: 'PollFailed', message: 'HTTP 500' })
    page(3, [order(2), order(1)], null)
    expect(await poll('order.paged')).toBe(30_000)
    expect(await emitted()).toEqual([6, 5, 4, 3, 2, 1].map((id) => `order:${id}`))
    expect(paths()).toEqual(['/paged', '/paged/2', '/paged/3', '/paged/3'])
    page(1, [order(7)], null)
    await poll('order.paged')
    expect(paths().at(-1)).toBe('/paged?since=2026-01-01T00%3A00%3A06Z')
  })

  test('begins a pass again whose page is gone', async () => {
    provider.on('/paged', answers(200, { orders: [order(1)], next: '/paged/2' }))
    provider.on('/paged/2', answers(200, { orders: [order(2)], next: '/paged/3' }))
    provider.on('/paged/3', answers(410, {}))
    await poll('order.paged')
    await poll('order.paged')
    provider.on('/paged', answers(200, { orders: [order(2), order(3)], next: null }))
    await poll('order.paged')
    // Everything came in order until then, so it goes on from the last of it.
    expect(paths().at(-1)).toBe('/paged?since=2026-01-01T00%3A00%3A02Z')
    expect(await emitted()).toEqual(['order:1', 'order:2', 'order:3'])
  })
})

describe('one poller in the whole deployment', () => {
  test('of two that come at once one asks, and whoever lost the fence emits nothing', async () => {
    provider.on('/orders', async (request, response, socket) => {
      await new Promise((resolve) => setTimeout(resolve, 200))
      return ordersAnswer([order(1)])(request, response, socket)
    })
    await Promise.all([poll('order.updated'), poll('order.updated')])
    expect(provider.received).toHaveLength(1)
    provider.on('/orders', async (request, response, socket) => {
      await engine.sql(`update fibric.poller set fence = nextval('fibric.event_fence')`)
      return ordersAnswer([order(2)])(request, response, socket)
    })
    await engine.sql(`update fibric.poller set lease_until = 'epoch'`)
    await poll('order.updated')
    expect(await emitted()).toEqual(['order:1'])
  })
})

describe('a provider that does not answer as it should', () => {
  test.each([
    {
      name: '429 with Retry-After',
      answer: answers(429, {}, { 'retry-after': '120' }),
      reason: 'RateLimited',
      least: 120_000,
    },
    { name: '503', answer: answers(503, {}), reason: 'PollFailed', least: 30_000 },
    { name: 'no JSON', answer: answers(200, 'x' as never), reason: 'MappingFailed', least: 30_000 },
    { name: 'no list', answer: answers(200, { orders: 1 }), reason: 'MappingFailed', least: 30_000 },
    {
      name: 'an item without its cursor',
      answer: answers(200, { orders: [{ id: 1, updated_at: null }] }),
      reason: 'CursorUnusable',
      least: 30_000,
    },
    {
      name: 'a page of another origin',
      answer: answers(200, { orders: [], next: 'http://example.com/' }),
      event: 'order.paged',
      reason: 'PollFailed',
      least: 30_000,
    },
  ])('$name is a condition, and asked later: $reason', async ({ answer, reason, least, event = 'order.updated' }) => {
    provider.on('*', answer)
    const waits = await poll(event)
    expect(await condition()).toMatchObject({ reason, failures: 1 })
    expect(waits).toBeGreaterThanOrEqual(least)
    expect(await emitted()).toEqual([])
    const [connection] = await listConnections(engine, 'acme')
    expect(connection).toMatchObject({ ready: false, reason: 'PollFailed' })
    await engine.sql(`delete from fibric.egress_gate`)
    const doubled = await poll(event)
    expect(doubled).toBeGreaterThan(least === 120_000 ? 0 : least)
    await engine.sql(`delete from fibric.egress_gate`)
    provider.on('*', answers(200, { orders: [], next: null }))
    await poll(event)
    expect(await condition()).toMatchObject({ reason: null, failures: 0 })
  })

  test('an item that fits no schema is a dead letter, and the poll goes on', async () => {
    provider.on('/orders', ordersAnswer([order(1), { ...order(2), id: 'two' }, order(3)]))
    await poll('order.updated')
    expect(await emitted()).toEqual(['order:1', 'order:3'])
    expect(await listDeadLetters(engine, { tenant: 'acme', all: false }, null, 100)).toMatchObject([
      { reason: 'validation_failed', origin: 'poll', source: 'orders', idempotency_key: 'order:two' },
    ])
  })

  test('a tenant whose backlog is full is not polled', async () => {
    const full = { ...parts, admission: { admit: async () => Promise.reject(new (await backlogFull())()) } as never }
    await pollOnce(full, pollOf('order.updated'), signal)
    expect(provider.received).toEqual([])
    expect(await condition()).toMatchObject({ reason: 'BacklogFull' })
  })
})

test('events appended within a transaction are there with it, or not at all', async () => {
  const event = { source: 'x', eventType: 'a.b', payload: {}, origin: 'internal' as const, key: 'within' }
  const failing = engine.database.asWorker([acme], async (tx) => {
    await appendWithin(tx, acme, [event], new Date())
    throw new Error('changed its mind')
  })
  await expect(failing).rejects.toThrow('changed its mind')
  expect(await emitted()).toEqual([])
  const [appended] = await engine.database.asWorker([acme], (tx) => appendWithin(tx, acme, [event], new Date()))
  expect(appended).toMatchObject({ outcome: 'appended' })
  await sequencerOf(engine.database).settled()
})

async function backlogFull() {
  const { FibricError } = await import('../../controller/domain/errors.ts')
  return class extends FibricError {
    constructor() {
      super('BACKLOG_FULL', 'full', { details: { retry_after_s: 7 } })
    }
  }
}
