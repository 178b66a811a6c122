import { afterAll, beforeAll, expect, test } from 'vitest'
import type { TenantId } from '../../controller/domain/ids.ts'
import { Admission } from '../../controller/ingest/admission.ts'
import { appendEvents } from '../../controller/ingest/append.ts'
import { Meters } from '../../controller/ingest/meters.ts'
import { sequencerOf } from '../../controller/ingest/sequencer.ts'
import { openEventBus } from '../../controller/operations/ingest.ts'
import { writeSecret } from '../../controller/tenancy/secrets.ts'
import { doc, docs, open, tenant } from '../operations/repositories.ts'
import { type TestApi, testApi } from '../support/api.ts'
import { type TestEngine, testEngine } from '../support/engine.ts'
import { idOf } from './polling-shop.ts'
import { event } from './world.ts'

let engine: TestEngine
let api: TestApi
let acme: TenantId
let key: string

beforeAll(async () => {
  engine = await testEngine(
    {
      ...open,
      'tenants/_platform/tier.yaml': doc('ServiceTier', 'small', '{quotas: {eventsPerMinute: 5}}'),
      'tenants/small/tenant.yaml': tenant('small', ', tier: small'),
      'tenants/acme/gateways.yaml': docs(
        doc('Gateway', 'sealed', '{events: ["zone.*"], credential: roof-key}'),
        doc('Gateway', 'slow', '{events: ["zone.*"], rate: 10/m}'),
      ),
    },
    { now: '2026-03-02T09:00:10Z' },
  )
  await engine.apply()
  acme = await idOf(engine, 'acme')
  api = await testApi(engine)
  key = await api.key('acme', 'ingest')
})

afterAll(async () => {
  await api.close()
  await engine.close()
})

const batch = (gateway: string, count = 1, headers: { [name: string]: string } = {}) =>
  api.send('POST', `/v1/gateways/${gateway}/events`, {
    key,
    headers,
    body: { events: Array.from({ length: count }, () => ({ event_type: 'zone.seen', payload: {} })) },
  })
const minuteLater = () => {
  engine.time.now += 60_000
}

test('a gateway that names a credential is believed by whoever presents one of its two live values', async () => {
  expect((await batch('sealed')).status).toBe(401)
  const place = { tenantId: acme, name: 'roof-key', field: 'value' }
  const change = { person: 'local:test', now: engine.clock(), keepPreviousMs: 3_600_000 }
  await writeSecret(engine.database, place, Buffer.from('value one'), change)
  await writeSecret(engine.database, place, Buffer.from('value two'), change)
  const answers = []
  for (const value of ['value one', 'value two', 'value three', '']) {
    answers.push((await batch('sealed', 1, { 'fibric-gateway-credential': value })).status)
  }
  expect(answers).toEqual([202, 202, 401, 401])
})

test('a gateway sends at its rate, batches whole or not at all', async () => {
  minuteLater()
  expect((await batch('slow', 7)).status).toBe(202)
  const refused = await batch('slow', 4)
  expect([refused.status, refused.json.error.code, refused.headers['retry-after']]).toEqual([429, 'rate_limited', '50'])
  expect((await batch('slow', 3)).status).toBe(202)
  minuteLater()
  // More than a minute's worth takes a whole minute, so that it can be sent at all.
  expect((await batch('slow', 20)).status).toBe(202)
  expect((await batch('slow', 1)).status).toBe(429)
})

test('the tier of a tenant bounds its events a minute, over all replicas, and nobody else', async () => {
  minuteLater()
  const small = await api.key('small', 'ingest')
  const send = (secret: string) =>
    api.send('POST', '/v1/events', { key: secret, body: { event_type: 'a.b', payload: {} } })
  const sent = await Promise.all(Array.from({ length: 8 }, () => send(small)))
  expect(sent.map(({ status }) => status).sort()).toEqual([202, 202, 202, 202, 202, 429, 429, 429])
  const replica = new Admission(engine.database, undefined, engine.clock)
  await expect(replica.admit(await idOf(engine, 'small'), 'small')).rejects.toMatchObject({ code: 'RATE_LIMITED' })
  expect((await send(key)).status).toBe(202)
  minuteLater()
  expect((await send(small)).status).toBe(202)
})

test('replicas that draw at once give out no event twice', async () => {
  const quota = { max: 100, windowMs: 60_000 }
  const replicas = Array.from({ length: 4 }, () => new Meters(engine.database, engine.clock))
  const asked = replicas.flatMap((meters) =>
    Array.from({ length: 40 }, () =>
      meters.take(acme, 'shared', 1, quota, 'it').then(
        () => 1,
        () => 0,
      ),
    ),
  )
  const taken = (await Promise.all(asked)).reduce((sum: number, one) => sum + one, 0)
  // What one replica drew and has no use for is nobody else's.
  expect(taken).toBeLessThanOrEqual(100)
  expect(taken).toBeGreaterThan(80)
})

test('how long to wait for a backlog comes from how fast it drains', async () => {
  const bus = openEventBus(engine)
  const claimed = (await bus.claim({ tenantId: acme, consumer: 'operator:draining' }))!
  const count = 400
  await appendEvents(
    engine.database,
    acme,
    Array.from({ length: count }, (_, n) => event({ n })),
  )
  await sequencerOf(engine.database).settled()
  const admission = new Admission(engine.database, { backlogAgeMaxMs: 1e9, backlogMax: 10, pendingMax: 1e6 })
  await expect(admission.admit(acme, 'acme')).rejects.toMatchObject({ details: { retry_after_s: 300 } })
  const deliveries = (await claimed.poll(count))!
  await claimed.advance(deliveries[99]!)
  const waitedMs = 600
  await new Promise((resolve) => setTimeout(resolve, waitedMs))
  const refused = await admission.admit(acme, 'acme').catch((error: unknown) => error)
  const seconds = (refused as { details: { retry_after_s: number } }).details.retry_after_s
  // 100 events in at least 0.6 s, of which 150 (half the rest) are to be waited for.
  expect(seconds).toBeGreaterThanOrEqual(1)
  expect(seconds).toBeLessThan(60)
  await claimed.release()
  await bus.close()
})
