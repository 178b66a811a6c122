import { afterAll, beforeAll, expect, test } from 'vitest'
import { runSources } from '../../controller/operations/sources.ts'
import { doc } from '../operations/repositories.ts'
import { type TestEngine, testEngine } from '../support/engine.ts'
import { answers, type Provider, startProvider, staysSilent } from '../support/provider.ts'
import { ordersAnswer, pollingShop } from './polling-shop.ts'

let engine: TestEngine
let provider: Provider

beforeAll(async () => {
  provider = await startProvider()
  engine = await testEngine({
    ...pollingShop(provider.port),
    'tenants/acme/schedule.yaml': doc('Schedule', 'quick', '{every: 1s, emit: {eventType: second.begins}}'),
  })
  Object.defineProperty(engine.time, 'now', { get: () => Date.now() })
  await engine.apply()
})

afterAll(async () => {
  await engine.close()
  await provider.close()
})

async function until(good: () => Promise<boolean>): Promise<void> {
  while (!(await good())) await new Promise((resolve) => setTimeout(resolve, 50))
}
const count = async (type: string) =>
  (await engine.sql<{ n: number }>('select count(*)::int as n from fibric.event where event_type = $1', [type]))[0]!.n

test('two processes poll and tick side by side; a provider that hangs holds up neither the others nor the end', async () => {
  provider.on('/orders', staysSilent)
  provider.on('/late', ordersAnswer([{ id: 1, updated_at: '2026-01-01T00:00:00Z' }]))
  provider.on('/paged', answers(503, {}))
  const failures: string[] = []
  const running = [1, 2].map(() => runSources(engine, (error, doing) => failures.push(`${doing}: ${String(error)}`)))
  await until(async () => (await count('order.late')) > 0 && (await count('second.begins')) > 2)
  await Promise.all(running.map((sources) => sources.stop()))
  expect(failures).toEqual([])
  expect(await count('order.late')).toBe(1)
  const ticks = await engine.sql<{ key: string }>(
    `select idempotency_key as key from fibric.event where event_type = 'second.begins' order by serial`,
  )
  expect(new Set(ticks.map(({ key }) => key)).size).toBe(ticks.length)
  expect(provider.received.filter(({ path }) => path.startsWith('/orders'))).toHaveLength(1)
  const conditions = await engine.sql<{ event_type: string; reason: string | null }>(
    'select event_type, reason from fibric.poller order by event_type',
  )
  expect(conditions).toContainEqual({ event_type: 'order.paged', reason: 'PollFailed' })
  expect(conditions).toContainEqual({ event_type: 'order.late', reason: null })
}, 60_000)
