import { createHmac } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { TenantId } from '../../controller/domain/ids.ts'
import { appendEvents } from '../../controller/ingest/append.ts'
import { sequencerOf } from '../../controller/ingest/sequencer.ts'
import { listDeadLetters, redriveDeadLetter } from '../../controller/operations/dead-letters.ts'
import { showEvent } from '../../controller/operations/events.ts'
import { openEventBus } from '../../controller/operations/ingest.ts'
import { writeDeadLetter } from '../../controller/store/dead-letters.ts'
import { writeSecret } from '../../controller/tenancy/secrets.ts'
import { doc, docs, open, tenant } from '../operations/repositories.ts'
import { type TestApi, testApi } from '../support/api.ts'
import { fibricBatch } from '../support/cli.ts'
import { type TestEngine, testEngine } from '../support/engine.ts'
import { idOf } from './polling-shop.ts'
import { event } from './world.ts'

const shop = (version: string, more: string) =>
  doc(
    'Connector',
    'shop',
    `
  version: ${version}
  category: commerce
  auth: {kind: none}
  runtime: http
  http: {baseUrl: "https://shop.example.com"}
  tools: {order.get: {tier: 0, effect: read, http: {method: GET, path: /orders}}}
  events:
    order.created:
      kind: webhook
      verify: {scheme: hmac-sha256, header: X-Signature, encoding: hex}
      idempotencyKey: "\${request.headers['x-delivery']}"
      ${more}`.trimEnd(),
  )
const files = (...versions: readonly string[]) => ({
  ...open,
  'tenants/globex/tenant.yaml': tenant('globex'),
  'tenants/_platform/shop.yaml': docs(
    shop('1.0.0', 'schema: {type: object, required: [order_id]}'),
    ...versions.map((version) => shop(version, 'payload: {order_id: "${request.body.id}"}')),
  ),
  'tenants/acme/connections.yaml': doc(
    'Connection',
    'orders',
    `{connector: shop@${versions.at(-1) ?? '1.0.0'}, credential: shop-main}`,
  ),
})

let engine: TestEngine
let api: TestApi
let acme: TenantId

beforeAll(async () => {
  engine = await testEngine(files(), { now: new Date().toISOString() })
  await engine.apply()
  acme = await idOf(engine, 'acme')
  api = await testApi(engine)
  await writeSecret(
    engine.database,
    { tenantId: acme, name: 'shop-main', field: 'webhook' },
    Buffer.from('the secret'),
    { person: 'local:test', now: new Date(), keepPreviousMs: 0 },
  )
})

afterAll(async () => {
  await api.close()
  await engine.close()
})

async function hook(body: object, delivery: string) {
  const raw = JSON.stringify(body)
  const headers = {
    'x-signature': createHmac('sha256', 'the secret').update(raw).digest('hex'),
    'x-delivery': delivery,
    authorization: 'Basic c2VjcmV0',
  }
  return (await api.send('POST', '/v1/t/acme/ingest/orders/order.created', { raw, headers })).json
}
const waiting = () => listDeadLetters(engine, { tenant: 'acme', all: false }, null, 100)
const entries = async () =>
  (
    await engine.sql<{ n: number }>(
      `select count(*)::int as n from fibric.ledger_entry where kind = 'control.events.redrive'`,
    )
  )[0]!.n

test('a webhook that conflicts becomes an event of its own when a person redrives it, once', async () => {
  await hook({ order_id: '1' }, 'd-1')
  const letter = await hook({ order_id: 'other' }, 'd-1')
  expect(letter).toMatchObject({ object: 'dead_letter', reason: 'idempotency_conflict' })
  const key = await api.key('acme', 'operate')
  const path = `/v1/events/dead-letters/${letter.id}/redrive`
  expect((await api.send('POST', path, { key: await api.key('globex', 'operate') })).status).toBe(404)
  expect((await api.send('POST', path, { key: await api.key('acme', 'read_only') })).status).toBe(403)
  const both = await Promise.all([api.send('POST', path, { key }), api.send('POST', path, { key })])
  expect(both.map(({ status }) => status).sort()).toEqual([200, 409])
  const { json } = both.find(({ status }) => status === 200)!
  expect(json.request.headers.authorization).toBeUndefined()
  const made = await showEvent(engine, json.redriven_to)
  expect(made.envelope).toMatchObject({ source: 'orders', event_type: 'order.created', payload: { order_id: 'other' } })
  expect(await waiting()).toEqual([])
  expect(await listDeadLetters(engine, { tenant: 'acme', all: true }, null, 100)).toHaveLength(1)
  expect(await entries()).toBe(1)
})

test('what does not fit is refused again until the connector says better', async () => {
  const letter = await hook({ id: '7' }, 'd-2')
  expect(letter.reason).toBe('validation_failed')
  await expect(redriveDeadLetter(engine, letter.id)).rejects.toMatchObject({ code: 'VALIDATION_FAILED' })
  expect(await waiting()).toHaveLength(1)
  engine.become(files('1.1.0'))
  await engine.apply()
  const { redriven_to } = await redriveDeadLetter(engine, letter.id)
  const made = await showEvent(engine, redriven_to!)
  expect([made.envelope.payload, made.key]).toEqual([{ order_id: '7' }, 'd-2'])
})

test('an event whose run died is given to its operator again, and to nobody else', async () => {
  const bus = openEventBus(engine)
  const consumers = ['operator:one', 'operator:two']
  const claims = await Promise.all(consumers.map((consumer) => bus.claim({ tenantId: acme, consumer })))
  const [sent] = await appendEvents(engine.database, acme, [event({ n: 1 })])
  await sequencerOf(engine.database).settled()
  for (const claim of claims) await claim!.advance((await claim!.poll(10))!.at(-1)!)
  const letter = {
    ...{ tenant_id: acme, letter_id: 'dl_1', reason: 'run_died' as const, message: 'died', source: 'shop' },
    ...{ event_type: 'order.created', event_id: sent!.eventId, consumer: 'operator:one', idempotency_key: null },
    ...{ origin: 'run' as const, request: null, body: null, created_at: new Date().toISOString() },
    ...{ redriven_at: null, redriven_by: null, redriven_to: null },
  }
  await engine.database.asWorker([acme], (tx) => writeDeadLetter(tx, letter))
  const { redriven_to } = await redriveDeadLetter(engine, 'dl_1')
  const again = await Promise.all(claims.map((claim) => claim!.poll(10)))
  expect(again.map((deliveries) => deliveries!.map((each) => [each.event.event_id, each.replayId]))).toEqual([
    [[sent!.eventId, redriven_to]],
    [],
  ])
  for (const claim of claims) await claim!.release()
  await bus.close()
})

test('all that are kept for a reason are delivered again at once, each told of, and one that fails fails the command', async () => {
  const [sent] = await appendEvents(engine.database, acme, [event({ n: 2 })])
  await sequencerOf(engine.database).settled()
  await hook({ id: 'kept' }, 'd-1')
  for (const [id, eventId] of [
    ['dl_2', sent!.eventId],
    ['dl_3', 'ev_gone'],
  ] as const) {
    const letter = {
      ...{ tenant_id: acme, letter_id: id, reason: 'run_died' as const, message: 'died', source: 'shop' },
      ...{ event_type: 'order.created', event_id: eventId, consumer: 'operator:one', idempotency_key: null },
      ...{ origin: 'run' as const, request: null, body: null, created_at: new Date().toISOString() },
      ...{ redriven_at: null, redriven_by: null, redriven_to: null },
    }
    await engine.database.asWorker([acme], (tx) => writeDeadLetter(tx, letter))
  }
  const environment = {
    FIBRIC_DATABASE_URL: engine.config.databaseUrl!,
    FIBRIC_ROOT_KEY: Buffer.alloc(32, 'fibric test root key').toString('hex'),
  }
  const redrive = ['events', 'dead', 'redrive', '--all', '--reason', 'run_died', '--tenant', 'acme']
  const [one, rest] = await fibricBatch(
    [
      [...redrive, '--limit', '1'],
      [...redrive, '--json'],
    ],
    engine.directory,
    environment,
  )
  expect([one!.exit, one!.stdout]).toEqual([
    1,
    expect.stringMatching(/^dl_3 is not delivered: .*STATE_CONFLICT\)\n0 .*, 1 could not be; there are more: .*\n$/),
  ])
  expect([rest!.exit, JSON.parse(rest!.stdout)]).toMatchObject([
    1,
    {
      data: [
        { id: 'dl_2', became: expect.stringMatching(/^rp_/), error: null },
        { id: 'dl_3', became: null, error: { code: 'STATE_CONFLICT' } },
      ],
      has_more: false,
    },
  ])
  // The conflict was kept for another reason, and waits on.
  expect((await waiting()).map(({ reason }) => reason)).toEqual(
    expect.arrayContaining(['run_died', 'idempotency_conflict']),
  )
  const [last] = await fibricBatch(
    [['events', 'dead', 'redrive', '--all', '--reason', 'idempotency_conflict']],
    engine.directory,
    environment,
  )
  expect([last!.exit, last!.stdout]).toEqual([
    0,
    expect.stringContaining('1 dead letter was delivered again, 0 could not be'),
  ])
})
