import { afterAll, beforeAll, expect, test } from 'vitest'
import { type ScheduleParts, tickOnce } from '../../controller/ingest/schedules.ts'
import { type ScheduleInForce, schedulesInForce } from '../../controller/ingest/schedules-in-force.ts'
import { listDeadLetters } from '../../controller/operations/dead-letters.ts'
import { admissionOf } from '../../controller/operations/ingest.ts'
import { doc, docs, open, tenant } from '../operations/repositories.ts'
import { type TestEngine, testEngine } from '../support/engine.ts'

let engine: TestEngine
let parts: ScheduleParts
let schedules: readonly ScheduleInForce[]

const files = (state = 'active') => ({
  ...open,
  'tenants/acme/schedules.yaml': docs(
    doc(
      'Schedule',
      'stock',
      `{every: 1h, missed: all, state: ${state}, emit: {eventType: stock.check, payload: {at: "\${now}"}}}`,
    ),
    doc('Schedule', 'morning', '{cron: "30 8 * * *", timeZone: Europe/Berlin, emit: {eventType: day.begins}}'),
    doc('Schedule', 'skipping', '{every: 1h, missed: skip, emit: {eventType: tick.skip}}'),
    doc('Schedule', 'ours', '{every: 1h, emit: {eventType: fibric.run}}'),
  ),
  'tenants/idle/tenant.yaml': tenant('idle', ', state: suspended'),
  'tenants/idle/schedule.yaml': doc('Schedule', 'idle', '{every: 1h, emit: {eventType: idle.tick}}'),
})

beforeAll(async () => {
  engine = await testEngine(files(), { now: '2026-03-02T09:10:00Z' })
  await engine.apply()
  parts = {
    database: engine.database,
    admission: admissionOf(engine),
    clock: engine.clock,
    onFailure: (error) => {
      throw error
    },
  }
  schedules = await schedulesInForce(engine.database)
  for (const each of schedules) await tickOnce(parts, each)
})

afterAll(() => engine.close())

const named = (name: string): ScheduleInForce => schedules.find((each) => each.name === name)!
const later = (hours: number) => {
  engine.time.now += hours * 3_600_000
}
const emitted = async (type: string) =>
  (
    await engine.sql<{ payload: Buffer; source: string }>(
      'select payload, source from fibric.event where event_type = $1 order by serial',
      [type],
    )
  ).map(({ payload, source }) => `${source} ${payload}`)

test('a new schedule begins at now', async () => {
  expect(await engine.sql('select 1 from fibric.event')).toEqual([])
})

test('replicas that come at once emit one event a tick, whose `now` is the tick', async () => {
  later(1)
  await Promise.all(Array.from({ length: 5 }, () => tickOnce(parts, named('stock'))))
  expect(await emitted('stock.check')).toEqual(['cron {"at":"2026-03-02T10:00:00.000Z"}'])
  expect(await tickOnce(parts, named('stock'))).toEqual(new Date('2026-03-02T11:00:00Z'))
})

test('what nobody was there for is made up for as the schedule says', async () => {
  later(3)
  for (const each of schedules) await tickOnce(parts, each)
  expect(await emitted('stock.check')).toHaveLength(4)
  expect(await emitted('tick.skip')).toEqual([])
  expect(await emitted('day.begins')).toEqual([])
  later(48)
  for (const each of schedules) await tickOnce(parts, each)
  expect(await emitted('day.begins')).toEqual(['cron {}'])
})

test('a paused schedule fires nothing, and makes up for it afterwards', async () => {
  const before = (await emitted('stock.check')).length
  engine.become(files('paused'))
  await engine.apply()
  expect((await schedulesInForce(engine.database)).map(({ name }) => name)).not.toContain('stock')
  later(2)
  engine.become(files())
  await engine.apply()
  for (const each of await schedulesInForce(engine.database)) await tickOnce(parts, each)
  expect(await emitted('stock.check')).toHaveLength(before + 2)
})

test('a type of the platform is a dead letter, and a suspended tenant has no ticks', async () => {
  const letters = await listDeadLetters(engine, { tenant: 'acme', all: false }, null, 100)
  expect(letters.map(({ event_type, reason }) => `${event_type} ${reason}`)).toContain('fibric.run validation_failed')
  expect(await emitted('idle.tick')).toEqual([])
})
