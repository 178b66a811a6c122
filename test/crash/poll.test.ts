import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { sequencerOf, sweepEvents } from '../../controller/ingest/sequencer.ts'
import { pollingShop } from '../ingest/polling-shop.ts'
import { doc } from '../operations/repositories.ts'
import { type TestEngine, testEngine } from '../support/engine.ts'
import { answers, type Provider, startProvider } from '../support/provider.ts'
import type { PollOrders } from './poll-child.ts'
import { temporaryFolder } from './world.ts'

const child = fileURLToPath(new URL('./poll-child.ts', import.meta.url))
const hourMs = 3_600_000
const begunAt = Date.parse('2026-03-02T09:30:00Z')
const { folder, remove } = temporaryFolder()
let engine: TestEngine
let provider: Provider
let items: { readonly id: number; readonly updated_at: string }[] = []
let rounds = 0

beforeAll(async () => {
  provider = await startProvider()
  provider.on('/paged', async (request, response, socket) => {
    const { searchParams } = new URL(request.path, provider.url)
    const since = searchParams.get('since') ?? ''
    const page = Number(searchParams.get('page') ?? 0)
    const found = items.filter(({ updated_at }) => updated_at >= since)
    const next = found.length > (page + 1) * 2 ? `/paged?since=${encodeURIComponent(since)}&page=${page + 1}` : null
    return answers(200, { orders: found.slice(page * 2, page * 2 + 2), next })(request, response, socket)
  })
  engine = await testEngine(
    {
      ...pollingShop(provider.port),
      'tenants/acme/schedule.yaml': doc(
        'Schedule',
        'hourly',
        '{every: 1h, missed: all, emit: {eventType: hour.begins}}',
      ),
    },
    { now: new Date(begunAt).toISOString() },
  )
  await engine.apply()
})

afterAll(async () => {
  await engine.close()
  await provider.close()
  remove()
})

/**
 * A process that polls three pages in two turns and emits the tick of a schedule is killed before each statement and
 * around each commit; then another does the same to the end. Idempotency keys are forgotten in between, so that nothing
 * but the cursors stands between a crash and an item that is skipped or emitted twice.
 */
test('killed between any two statements, polls and schedules skip nothing and emit nothing twice', async () => {
  const points = await round(0)
  expect(points).toBeGreaterThan(15)
  // Positions are given beside everything else, how often depends on how soon: some processes take fewer statements.
  let killed = 0
  for (let outlived = 0; outlived < 3; ) {
    const point = killed + outlived + 1
    if ((await round(point)) === point) killed++
    else outlived++
    await expectEveryEventOnce()
  }
  expect(killed).toBeGreaterThan(30)
  // What the last round brought is asked for once more.
  await round(0)
  await expectEveryEventOnce()
})

async function expectEveryEventOnce(): Promise<void> {
  const events = await engine.sql<{ idempotency_key: string }>('select idempotency_key from fibric.event order by 1')
  const keys = events.map((row) => row.idempotency_key)
  const orders = items.map(({ id }) => `order:${id}`)
  const ticks = Array.from({ length: rounds - 1 }, (_, n) => new Date(Date.parse('2026-03-02T11:00:00Z') + n * hourMs))
  expect(keys.filter((key) => key.startsWith('order:')).sort()).toEqual(orders.sort())
  expect(keys.filter((key) => key.startsWith('ob_')).map((key) => key.split(':').slice(1).join(':'))).toEqual(
    ticks.map((tick) => tick.toISOString()),
  )
}

/**
 * New items and an hour later: a process that is killed at a point, should it get there, and one that is not. Answers how
 * far the first one got; with 0 there is only the other.
 */
async function round(kill: number): Promise<number> {
  rounds++
  items = [
    ...items,
    ...Array.from({ length: 5 }, (_, n) => ({
      id: rounds * 10 + n,
      updated_at: new Date(begunAt + rounds * 1000 + n).toISOString(),
    })),
  ]
  const now = begunAt + rounds * hourMs
  const killed = kill > 0 ? await run({ config: engine.config, now, kill }) : null
  await engine.sql(`update fibric.poller set lease_until = 'epoch', due_at = 'epoch'`)
  await engine.sql(`truncate fibric.ingest_key`)
  const points = await run({ config: engine.config, now, kill: 0 })
  await sweepEvents(engine.database)
  await sequencerOf(engine.database).settled()
  await engine.sql(`update fibric.poller set due_at = 'epoch'`)
  return killed ?? points
}

/** Answers the point the process was killed at, or how many it had. */
async function run(orders: PollOrders): Promise<number> {
  const key = Buffer.alloc(32, 'fibric test root key').toString('hex')
  const started = spawn(
    process.execPath,
    [child, JSON.stringify({ ...orders, config: { ...orders.config, rootKeyText: key } })],
    { stdio: ['ignore', 'pipe', 'inherit'], env: { PATH: process.env.PATH, NODE_COMPILE_CACHE: folder } },
  )
  let text = ''
  started.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk
  })
  const ended = await new Promise((resolve) => started.on('close', (code, signal) => resolve(signal ?? code)))
  if (ended === 'SIGKILL' && orders.kill > 0) return orders.kill
  expect(ended).toBe(0)
  return Number(text)
}
