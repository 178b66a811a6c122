import { createHmac } from 'node:crypto'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { TenantId } from '../../controller/domain/ids.ts'
import { Admission, secondsToDrain } from '../../controller/ingest/admission.ts'
import { appendEvents } from '../../controller/ingest/append.ts'
import { sequencerOf } from '../../controller/ingest/sequencer.ts'
import { openEventBus } from '../../controller/operations/ingest.ts'
import { readEventBody } from '../../controller/store/events.ts'
import { writeSecret } from '../../controller/tenancy/secrets.ts'
import { doc, docs, open, tenant } from '../operations/repositories.ts'
import { type SendOptions, type TestApi, testApi } from '../support/api.ts'
import { type TestEngine, testEngine } from '../support/engine.ts'

const shop = doc(
  'Connector',
  'shop',
  `
  version: 1.0.0
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
      schema: {type: object, required: [order_id]}
    order.paid: {kind: webhook, verify: {scheme: hmac-sha256, header: X-Signature, encoding: hex}, payload: {order: "\${request.body.id}"}, bigNumbers: string}
    order.polled: {kind: poll, every: 30s, request: {method: GET, path: /orders}, items: "\${response.body}", cursor: "\${item.at}", idempotencyKey: "\${item.id}"}`.trimEnd(),
)

let engine: TestEngine
let api: TestApi
let key: string
let other: string

beforeAll(async () => {
  engine = await testEngine(
    {
      ...open,
      'tenants/_platform/shop.yaml': shop,
      'tenants/globex/tenant.yaml': tenant('globex'),
      'tenants/idle/tenant.yaml': tenant('idle', ', state: suspended'),
      'tenants/acme/connections.yaml': docs(
        doc('Connection', 'orders', '{connector: shop@1.0.0, credential: shop-main}'),
        doc('Connection', 'bare', '{connector: shop@1.0.0}'),
        doc('Gateway', 'roof', '{events: ["zone.*"]}'),
      ),
    },
    { now: new Date().toISOString() },
  )
  api = await testApi(engine, { environment: { FIBRIC_REQUESTS_PER_MINUTE: '1000000' } })
  const admin = await api.key(null, 'admin')
  const early = await api.send('POST', '/v1/events?tenant=acme', { key: admin, body: {} })
  expect([404, 503]).toContain(early.status)
  await engine.apply()
  key = await api.key('acme', 'ingest')
  other = await api.key('globex', 'operate')
  const now = new Date()
  for (const value of ['first secret', 'second secret']) {
    await writeSecret(
      engine.database,
      { tenantId: await idOf('acme'), name: 'shop-main', field: 'webhook' },
      Buffer.from(value),
      { person: 'local:test', now, keepPreviousMs: 3_600_000 },
    )
  }
})

afterAll(async () => {
  await api.close()
  await engine.close()
})

async function idOf(slug: string): Promise<TenantId> {
  const rows = await engine.sql<{ tenant_id: TenantId }>('select tenant_id from fibric.domain where slug = $1', [slug])
  return rows[0]!.tenant_id
}

const post = (body: unknown, more: SendOptions = {}) => api.send('POST', '/v1/events', { key, body, ...more })
const order = { event_type: 'order.created', payload: { order_id: '1' } }

describe('POST /v1/events', () => {
  test('answers the stored event with the ten fields', async () => {
    const sent = await post({ ...order, source: 'till', correlation_id: 'co_1', agent_id: 'a', session_id: 's' })
    expect(sent.status).toBe(202)
    expect(sent.json).toMatchObject({
      object: 'event',
      tenant_id: await idOf('acme'),
      reseller_id: null,
      workspace_id: null,
      source: 'till',
      event_type: 'order.created',
      correlation_id: 'co_1',
      payload: { order_id: '1' },
      agent_id: 'a',
      session_id: 's',
      idempotency_key: null,
    })
    const reader = await api.key('acme', 'read_only')
    const read = await api.send('GET', `/v1/events/${sent.json.id}`, { key: reader })
    expect(read.json.payload).toEqual({ order_id: '1' })
    expect((await api.send('GET', `/v1/events/${sent.json.id}`, { key: other })).status).toBe(404)
  })

  test('keeps what was received, byte for byte', async () => {
    const raw = '{ "event_type":"order.created",\n "payload": {"price": 1.10, "t": "\\u0000\\ud800"} }'
    const sent = await post(undefined, { raw })
    const tenantId = await idOf('acme')
    const body = await engine.database.asTenant(tenantId, (tx) => readEventBody(tx, [tenantId], sent.json.id))
    expect(body!.toString()).toBe(raw)
  })

  test('answers the first event to the same key and content, and 409 to other content', async () => {
    const headers = { 'idempotency-key': 'k-1' }
    const first = await post(order, { headers })
    const again = await post({ payload: { order_id: '1' }, event_type: 'order.created' }, { headers })
    const changed = await post({ ...order, payload: {} }, { headers })
    expect([first.status, again.status, again.json.id]).toEqual([202, 202, first.json.id])
    expect(changed.status).toBe(409)
    expect(changed.json.error.code).toBe('idempotency_conflict')
  })

  test.each([
    {
      name: 'another tenant in the body',
      body: { ...order, tenant_id: 'globex' },
      status: 403,
      code: 'tenant_mismatch',
    },
    {
      name: 'another reseller in the body',
      body: { ...order, reseller_id: 'r' },
      status: 403,
      code: 'tenant_mismatch',
    },
    { name: 'the source git', body: { ...order, source: 'git' }, status: 403, code: 'reserved_source' },
    {
      name: 'the source of an operator',
      body: { ...order, source: 'operator:x' },
      status: 403,
      code: 'reserved_source',
    },
    {
      name: 'a type of the platform',
      body: { ...order, event_type: 'fibric.run' },
      status: 403,
      code: 'reserved_source',
    },
    { name: 'an unknown field', body: { ...order, event_id: 'ev_1' }, status: 422, code: 'validation_failed' },
    { name: 'a payload that is no object', body: { ...order, payload: [1] }, status: 422, code: 'validation_failed' },
    { name: 'U+0000 in an id', body: { ...order, agent_id: 'a\0' }, status: 422, code: 'validation_failed' },
    {
      name: 'half a surrogate pair in a key',
      body: { ...order, idempotency_key: '\ud800' },
      status: 422,
      code: 'validation_failed',
    },
    { name: 'no type', body: { payload: {} }, status: 422, code: 'validation_failed' },
  ])('refuses $name', async ({ body, status, code }) => {
    const sent = await post(body)
    expect([sent.status, sent.json.error.code]).toEqual([status, code])
  })

  test('refuses a number that a double does not carry, with its path', async () => {
    const sent = await post(undefined, { raw: '{"event_type":"a.b","payload":{"id":9007199254740993}}' })
    expect([sent.status, sent.json.error.code]).toEqual([400, 'invalid_json'])
    expect(sent.json.error.details.path).toBe('/payload/id')
  })

  test('takes a CloudEvent in structured mode, deduplicated by source and id', async () => {
    const headers = { 'content-type': 'application/cloudevents+json; charset=utf-8' }
    const raw = JSON.stringify({
      specversion: '1.0',
      id: 'c-1',
      source: '/till/4',
      type: 'com.example.Sold',
      data: { n: 1 },
    })
    const [first, again] = [await post(undefined, { raw, headers }), await post(undefined, { raw, headers })]
    expect(first.json).toMatchObject({
      source: '/till/4',
      event_type: 'com.example.Sold',
      payload: { n: 1 },
      idempotency_key: 'c-1',
    })
    expect(again.json.id).toBe(first.json.id)
    expect((await post(undefined, { raw: raw.replace('1.0', '0.3'), headers })).status).toBe(422)
  })

  test('refuses another media type, a key without the scope, and a suspended tenant', async () => {
    expect((await post(undefined, { raw: 'a=b', headers: { 'content-type': 'text/plain' } })).status).toBe(415)
    expect((await post(order, { key: await api.key('acme', 'read_only') })).status).toBe(403)
    const suspended = await post(order, { key: await api.key('idle', 'ingest') })
    expect([suspended.status, suspended.json.error.code]).toEqual([403, 'tenant_suspended'])
  })

  test('never answers 5xx to any body', async () => {
    const anything = fc.oneof(
      fc.json().map((text) => Buffer.from(text)),
      fc.uint8Array({ maxLength: 64 }).map((bytes) => Buffer.from(bytes)),
      fc
        .record(
          {
            event_type: fc.oneof(fc.string({ unit: 'binary', maxLength: 20 }), fc.constant('a.b')),
            payload: fc.oneof(
              fc.jsonValue(),
              fc.dictionary(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' })),
            ),
            source: fc.string({ unit: 'binary', maxLength: 20 }),
            correlation_id: fc.string({ unit: 'binary', maxLength: 20 }),
            idempotency_key: fc.oneof(fc.string({ unit: 'binary', maxLength: 20 }), fc.integer()),
          },
          { requiredKeys: [] },
        )
        .map((body) => Buffer.from(JSON.stringify(body))),
    )
    const types = ['application/json', 'application/cloudevents+json', 'application/cloudevents-batch+json']
    await fc.assert(
      fc.asyncProperty(anything, fc.constantFrom(...types), async (raw, type) => {
        const headers = { 'content-type': type, 'content-length': String(raw.length) }
        const one = await post(undefined, { raw, headers })
        const many = await api.send('POST', '/v1/gateways/roof/events', { key, raw, headers })
        expect(Math.max(one.status, many.status)).toBeLessThan(500)
      }),
      { numRuns: 150 },
    )
  })
})

describe('reading the log', () => {
  test('pages through it, with cursors that belong to their filters', async () => {
    const reader = await api.key('acme', 'read_only')
    for (let n = 0; n < 3; n++) await post({ ...order, source: 'pages' })
    const first = await api.send('GET', '/v1/events?source=pages&limit=2', { key: reader })
    expect(first.json.data).toHaveLength(2)
    const next = await api.send('GET', `/v1/events?source=pages&limit=2&cursor=${first.json.next_cursor}`, {
      key: reader,
    })
    expect(next.json).toMatchObject({ has_more: false, data: [{ source: 'pages' }] })
    const wrong = await api.send('GET', `/v1/events?limit=2&cursor=${first.json.next_cursor}`, { key: reader })
    expect(wrong.json.error.code).toBe('invalid_cursor')
  })

  test('streams it, and resumes after the last id that was seen', async () => {
    const reader = await api.key('acme', 'read_only')
    const sent = await post({ ...order, source: 'stream' })
    await sequencerOf(engine.database).settled()
    const { json: event } = await api.send('GET', `/v1/events/${sent.json.id}`, { key: reader })
    const read = async (after: number, until: string) => {
      const stopping = new AbortController()
      const response = await fetch(`http://127.0.0.1:${api.port}/v1/events/stream`, {
        headers: { authorization: `Bearer ${reader}`, 'last-event-id': String(after) },
        signal: stopping.signal,
      })
      let text = ''
      const decoder = new TextDecoder()
      for await (const chunk of response.body!) {
        text += decoder.decode(chunk)
        if (text.includes(until)) break
      }
      stopping.abort()
      return text
    }
    const text = await read(event.position - 1, `"id":"${event.id}"`)
    expect(text).toContain(`id: ${event.position}\nevent: order.created\n`)
    const later = post({ ...order, source: 'later' })
    expect(await read(event.position, '"source":"later"')).not.toContain(event.id)
    await later
    const bad = await api.send('GET', '/v1/events/stream?after=x', { key: reader })
    expect(bad.json.error.code).toBe('invalid_cursor')
  })
})

describe('a gateway', () => {
  const batch = (events: unknown, name = 'roof') =>
    api.send('POST', `/v1/gateways/${name}/events`, { key, body: { events } })

  test('sends batches of the types it may send, under its own name', async () => {
    const reading = { event_type: 'zone.temperature', payload: { c: 21 }, idempotency_key: 'r1', source: 'ignored' }
    const sent = await batch([reading, { ...reading, idempotency_key: 'r2' }, reading])
    expect(sent.status).toBe(202)
    expect(sent.json.data.map(({ status }: { status: string }) => status)).toEqual([
      'appended',
      'appended',
      'duplicate',
    ])
    const reader = await api.key('acme', 'read_only')
    const stored = await api.send('GET', `/v1/events/${sent.json.data[0].id}`, { key: reader })
    expect(stored.json).toMatchObject({ source: 'roof', origin: 'gateway' })
  })

  test('is refused whole for one other type, and where it is not', async () => {
    const before = (await engine.sql<{ n: number }>('select count(*) as n from fibric.event'))[0]!.n
    const sent = await batch([
      { event_type: 'zone.ok', payload: {} },
      { event_type: 'door.open', payload: {} },
    ])
    expect(sent.status).toBe(403)
    expect((await batch([{ event_type: 'zone.ok', payload: {} }], 'cellar')).status).toBe(404)
    expect((await engine.sql<{ n: number }>('select count(*) as n from fibric.event'))[0]!.n).toBe(before)
  })
})

describe('a webhook', () => {
  const sign = (bytes: string, secret = 'second secret') => createHmac('sha256', secret).update(bytes).digest('hex')
  const hook = (
    raw: string,
    headers: { [name: string]: string } = {},
    path = '/v1/t/acme/ingest/orders/order.created',
  ) =>
    api.send('POST', path, {
      raw,
      headers: { 'x-signature': sign(raw), 'content-length': String(Buffer.byteLength(raw)), ...headers },
    })

  test('is appended once, under either of two live secrets', async () => {
    const raw = '{"order_id":"77"}'
    const first = await hook(raw, { 'x-delivery': 'd1' })
    expect([first.status, first.json.status]).toEqual([202, 'appended'])
    const again = await hook(raw, { 'x-delivery': 'd1', 'x-signature': sign(raw, 'first secret') })
    expect(again.json).toMatchObject({ id: first.json.id, status: 'duplicate' })
    const reader = await api.key('acme', 'read_only')
    const { json } = await api.send('GET', `/v1/events/${first.json.id}`, { key: reader })
    expect(json).toMatchObject({
      source: 'orders',
      origin: 'webhook',
      payload: { order_id: '77' },
      idempotency_key: 'd1',
    })
  })

  test.each([
    { name: 'a wrong signature', headers: { 'x-signature': sign('other') } },
    { name: 'no signature', headers: { 'x-signature': '' } },
    { name: 'an unknown tenant', path: '/v1/t/nobody/ingest/orders/order.created' },
    { name: 'an unknown connection', path: '/v1/t/acme/ingest/nothing/order.created' },
    { name: 'an unknown event', path: '/v1/t/acme/ingest/orders/order.lost' },
    { name: 'an event that is polled', path: '/v1/t/acme/ingest/orders/order.polled' },
    { name: 'a connection without a secret', path: '/v1/t/acme/ingest/bare/order.created' },
    { name: 'a name of every object', path: '/v1/t/acme/ingest/orders/constructor' },
  ])('with $name is 401 in the same words, and nothing is stored', async ({ headers = {}, path }) => {
    const census = () =>
      engine.sql('select (select count(*) from fibric.event) + (select count(*) from fibric.dead_letter) as n')
    const before = await census()
    const sent = await hook('{not json', headers, path)
    expect([sent.status, sent.json.error.code, sent.json.error.message]).toEqual([
      401,
      'webhook_unverified',
      'the request is not verified as coming from the provider',
    ])
    expect(await census()).toEqual(before)
  })

  test('whose key stands for other content is answered 202 and kept as a dead letter', async () => {
    const first = await hook('{"order_id":"1"}', { 'x-delivery': 'd2' })
    const conflict = await hook('{"order_id":"2"}', { 'x-delivery': 'd2' })
    expect([conflict.status, conflict.json.reason]).toEqual([202, 'idempotency_conflict'])
    const reader = await api.key('acme', 'read_only')
    const letters = await api.send('GET', '/v1/events/dead-letters', { key: reader })
    expect(letters.json.data[0]).toMatchObject({
      id: conflict.json.id,
      event_id: first.json.id,
      idempotency_key: 'd2',
      body: Buffer.from('{"order_id":"2"}').toString('base64'),
    })
    expect((await api.send('GET', '/v1/events/dead-letters', { key: other })).json.data).toEqual([])
  })

  test('that our mapping fails for is kept, with the reason', async () => {
    expect((await hook('{"order_id":"3"}')).json.reason).toBe('expression_failed')
    expect((await hook('{"x":"3"}', { 'x-delivery': 'd3' })).json.reason).toBe('validation_failed')
  })

  test('without a key of its own is deduplicated by its body, and keeps big numbers as text where asked', async () => {
    const paid = '/v1/t/acme/ingest/orders/order.paid'
    const raw = '{"id": 12345678901234567890}'
    const [first, again] = [await hook(raw, {}, paid), await hook(raw, { 'x-anything': 'else' }, paid)]
    expect([first.json.status, again.json.status]).toEqual(['appended', 'duplicate'])
    const reader = await api.key('acme', 'read_only')
    const { json } = await api.send('GET', `/v1/events/${first.json.id}`, { key: reader })
    expect(json.payload).toEqual({ order: '12345678901234567890' })
  })

  test('that is verified and no JSON is 400', async () => {
    expect((await hook('{not json', { 'x-delivery': 'd4' })).json.error.code).toBe('invalid_json')
  })
})

describe('a backlog', () => {
  test('refuses its own tenant with the seconds it takes to drain, and no other', async () => {
    const [acme, globex] = [await idOf('acme'), await idOf('globex')]
    const bus = openEventBus(engine)
    const claimed = (await bus.claim({ tenantId: globex, consumer: 'operator:slow' }))!
    await bus.claim({ tenantId: acme, consumer: 'operator:quick' })
    const limits = { backlogAgeMaxMs: 60_000, backlogMax: 50, pendingMax: 1000 }
    const admit = (slug: string, tenantId: TenantId, admission = new Admission(engine.database, limits)) =>
      admission.admit(tenantId, slug)
    const events = Array.from({ length: 60 }, (_, n) => ({
      source: 's',
      eventType: 'n.n',
      payload: { n },
      origin: 'api' as const,
    }))
    await appendEvents(engine.database, globex, events)
    await sequencerOf(engine.database).settled()
    await expect(admit('globex', globex)).rejects.toMatchObject({
      code: 'BACKLOG_FULL',
      details: { retry_after_s: 300 },
    })
    await admit('acme', acme)
    const aged = { ...limits, backlogMax: 1000, backlogAgeMaxMs: 0 }
    await expect(admit('globex', globex, new Admission(engine.database, aged))).rejects.toMatchObject({
      code: 'BACKLOG_FULL',
    })
    await claimed.advance((await claimed.poll(100))!.at(-1)!)
    await admit('globex', globex)
    await bus.close()
  })

  test('is said to take as long as half of it takes, within bounds', () => {
    expect(secondsToDrain({ waiting: 1000 }, 100)).toBe(5)
    expect(secondsToDrain({ waiting: 1 }, 1000)).toBe(1)
    expect(secondsToDrain({ waiting: 1_000_000 }, 1)).toBe(300)
    expect(secondsToDrain({ waiting: 10 }, 0)).toBe(300)
  })
})
