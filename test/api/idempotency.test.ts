import { afterAll, beforeAll, expect, test } from 'vitest'
import { digestJson } from '../../controller/domain/digest.ts'
import type { TenantId } from '../../controller/domain/ids.ts'
import { claimRequest, finishRequest, releaseRequest, renewRequests } from '../../controller/store/requests.ts'
import type { Transaction } from '../../controller/store/tenancy.ts'
import { heldWidening, people, policy, role, tenant } from '../operations/repositories.ts'
import { type TestApi, testApi } from '../support/api.ts'
import { type TestEngine, testEngine } from '../support/engine.ts'

let engine: TestEngine
let api: TestApi
let acme: string
const keys = '/v1/tenant/keys'

beforeAll(async () => {
  engine = await testEngine({
    'tenants/_platform/people.yaml': people,
    'tenants/_platform/policy.yaml': policy('config', ...heldWidening),
    'tenants/acme/tenant.yaml': tenant('acme'),
    'tenants/beta/tenant.yaml': tenant('beta'),
  })
  await engine.apply()
  api = await testApi(engine, { directory: engine.directory })
  acme = await api.key('acme')
})
afterAll(async () => {
  await api.close()
  await engine.close()
})

const once = (key: string) => ({ 'idempotency-key': key })

test('the same request under a key is carried out once and answered alike, secret included', async () => {
  const body = { role: 'read_only', name: 'one' }
  const first = await api.send('POST', keys, { key: acme, body, headers: once('a') })
  const again = await api.send('POST', keys, { key: acme, body, headers: once('a') })
  expect([again.status, again.text]).toEqual([201, first.text])
  expect(first.headers['idempotency-replayed']).toBeUndefined()
  expect(again.headers['idempotency-replayed']).toBe('true')
  expect(again.headers['x-request-id']).not.toBe(first.headers['x-request-id'])
  expect(await named('one')).toBe(1)
})

test('an answer that is kept holds no secret that can be read', async () => {
  const made = await api.send('POST', keys, { key: acme, body: { role: 'read_only' }, headers: once('sealed') })
  const rows = await engine.sql<{ text: string }>(
    `select r::text as text, encode(answer, 'escape') as raw from fibric.request r`,
  )
  expect(JSON.stringify(rows)).not.toContain(made.json.secret)
})

test('another body, another query or another person under the same key is a conflict', async () => {
  const body = { role: 'read_only', name: 'two' }
  await api.send('POST', keys, { key: acme, body, headers: once('b') })
  const other = await api.key('acme')
  for (const [key, sent] of [
    [acme, { role: 'read_only', name: 'other' }],
    [other, body],
  ] as const) {
    const refused = await api.send('POST', keys, { key, body: sent, headers: once('b') })
    expect([refused.status, refused.json.error.code]).toEqual([409, 'idempotency_conflict'])
  }
  expect(await named('two')).toBe(1)
})

test('a key counts for one route of one tenant', async () => {
  const body = { role: 'read_only', name: 'three' }
  const beta = await api.key('beta')
  expect((await api.send('POST', keys, { key: acme, body, headers: once('c') })).status).toBe(201)
  expect((await api.send('POST', keys, { key: beta, body, headers: once('c') })).status).toBe(201)
  const planned = await api.send('POST', '/v1/config/plan', { key: acme, body: {}, headers: once('c') })
  expect(planned.status).toBe(200)
})

test('a refusal of the operation is the first answer too, a wrong request is none', async () => {
  const at = '/v1/config/resources/acme/Parameter/none/suspend'
  const wrong = await api.send('POST', at, { key: acme, body: { reason: 'x' }, headers: once('d') })
  expect(wrong.status).toBe(422)
  const body = { reason: 'x', for: '1h' }
  const first = await api.send('POST', at, { key: acme, body, headers: once('d') })
  const again = await api.send('POST', at, { key: acme, body, headers: once('d') })
  expect([first.status, again.text]).toEqual([404, first.text])
})

test('of twenty at once one is carried out, and the others are told to wait or get its answer', async () => {
  const body = { role: 'read_only', name: 'many' }
  const send = () => api.send('POST', keys, { key: acme, body, headers: once('e') })
  const sent = await Promise.all(Array.from({ length: 20 }, send))
  const made = sent.filter(({ status }) => status === 201)
  expect(new Set(made.map(({ text }) => text)).size).toBe(1)
  for (const { status, json } of sent) {
    if (status !== 201) expect([status, json.error.code]).toEqual([409, 'request_in_progress'])
  }
  expect(await named('many')).toBe(1)
})

test('a request whose server died is in progress until its lease is over, and is then carried out', async () => {
  const body = { role: 'read_only', name: 'late' }
  const send = (sent: object) => api.send('POST', keys, { key: acme, body: sent, headers: once('f') })
  await send(body)
  // As a process leaves it that is killed before it can keep its answer.
  await engine.sql(
    `update fibric.request set state = 'running', status = null, answer = null, lease_until = clock_timestamp() + interval '1 minute' where idempotency_key = 'f'`,
  )
  expect((await send(body)).json.error.code).toBe('request_in_progress')
  await engine.sql(
    `update fibric.request set lease_until = clock_timestamp() - interval '1 second' where idempotency_key = 'f'`,
  )
  expect((await send({ ...body, name: 'other' })).json.error.code).toBe('idempotency_conflict')
  const taken = await send(body)
  expect(taken.status).toBe(201)
  expect((await send(body)).text).toBe(taken.text)
})

test('whoever is alive keeps its lease, and whoever was overtaken keeps nothing', async () => {
  const { database } = engine
  const [row] = await engine.sql<{ id: TenantId }>(`select tenant_id as id from fibric.domain where slug = 'acme'`)
  const claim = {
    tenantId: row!.id,
    route: 'POST /v1/x',
    key: 'k',
    digest: digestJson(1),
    requestId: 'req_1',
    now: engine.clock().toISOString(),
  }
  const inTenant = <T>(work: (tx: Transaction) => Promise<T>) => database.asTenant(row!.id, work)
  const overdue = () =>
    engine.sql(
      `update fibric.request set lease_until = clock_timestamp() - interval '1 second' where idempotency_key = 'k'`,
    )
  const old = { ...claim, instance: 'old' }
  const young = { ...claim, instance: 'young', requestId: 'req_2' }
  const since = new Date(0).toISOString()
  expect(await inTenant((tx) => claimRequest(tx, old, since))).toMatchObject({ attempt: 1 })
  await overdue()
  await database.asWorker([row!.id], (tx) => renewRequests(tx, 'old', [old]))
  expect(await inTenant((tx) => claimRequest(tx, young, since))).toMatchObject({ bound: { state: 'running' } })
  await overdue()
  expect(await inTenant((tx) => claimRequest(tx, young, since))).toMatchObject({ attempt: 2 })
  await database.asWorker([row!.id], (tx) => renewRequests(tx, 'old', [old]))
  await inTenant((tx) => finishRequest(tx, old, 1, { status: 200, bytes: Buffer.from('old') }))
  await inTenant((tx) => releaseRequest(tx, old, 1))
  await inTenant((tx) => finishRequest(tx, young, 2, { status: 201, bytes: Buffer.from('young') }))
  const third = await inTenant((tx) => claimRequest(tx, { ...claim, instance: 'third' }, since))
  expect(third).toMatchObject({
    bound: { state: 'done', status: 201, request_id: 'req_2', answer: Buffer.from('young') },
  })
})

test('a key is free again after seven days', async () => {
  const send = (name: string) =>
    api.send('POST', keys, { key: acme, body: { role: 'read_only', name }, headers: once('h') })
  await send('before')
  engine.time.now += 7 * 24 * 60 * 60 * 1000 + 1
  acme = await api.key('acme')
  expect((await send('after')).status).toBe(201)
})

test('two approvals of two people under one key are two answers, never one', async () => {
  engine.write({ 'tenants/acme/roles.yaml': role('clerk') })
  const applier = await api.key(null)
  const applied = await api.send('POST', '/v1/config/apply', { key: applier, body: { tenant: 'acme' } })
  expect(applied.json.outcomes).toMatchObject([{ outcome: 'held' }])
  const id = applied.json.outcomes[0].action_id
  const [ana, ben] = [
    await api.key(null, 'operate', '_platform/User/ana'),
    await api.key(null, 'operate', '_platform/User/ben'),
  ]
  const approve = (key: string, header: string) =>
    api.send('POST', `/v1/plans/${id}/approve`, { key, body: { reason: 'fine' }, headers: once(header) })
  expect((await approve(ana, 'x')).json.data[0].outcome).toBe('held')
  expect((await approve(ben, 'x')).json.error.code).toBe('idempotency_conflict')
  expect((await approve(ben, 'y')).json.data[0].outcome).toBe('applied')
})

async function named(name: string): Promise<number> {
  const [row] = await engine.sql<{ count: number }>('select count(*) as count from fibric.api_key where name = $1', [
    name,
  ])
  return Number(row!.count)
}
