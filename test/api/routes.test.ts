import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { docs, open, parameter, role, tenant, user } from '../operations/repositories.ts'
import { type TestApi, testApi } from '../support/api.ts'
import { type TestEngine, testEngine } from '../support/engine.ts'

let engine: TestEngine
let api: TestApi
let platform: string
let acme: string

beforeAll(async () => {
  engine = await testEngine({
    ...open,
    'tenants/_platform/people.yaml': docs(role('admin', 'read, write, approve'), user('ana')),
    'tenants/acme/settings.yaml': docs(parameter('colour', 'red'), parameter('size', 3)),
    'tenants/beta/tenant.yaml': tenant('beta'),
    'tenants/beta/settings.yaml': parameter('hidden', 'canary'),
  })
  await engine.apply()
  api = await testApi(engine, { directory: engine.directory })
  platform = await api.key(null)
  acme = await api.key('acme')
})
afterAll(async () => {
  await api.close()
  await engine.close()
})

describe('configuration', () => {
  test('lists what is applied, page by page, and a cursor is good for its list alone', async () => {
    const first = await api.send('GET', '/v1/config/resources?limit=2', { key: acme })
    expect(first.status).toBe(200)
    expect(first.json.data.map((each: { address: string }) => each.address)).toEqual([
      'acme/Parameter/colour',
      'acme/Parameter/size',
    ])
    expect(first.json.has_more).toBe(true)
    const cursor = first.json.next_cursor
    const second = await api.send('GET', `/v1/config/resources?limit=2&cursor=${cursor}`, { key: acme })
    expect(second.json.data.map((each: { address: string }) => each.address)).toEqual(['acme/Tenant/acme'])
    expect(second.json).toMatchObject({ has_more: false, next_cursor: null })
    for (const path of [
      `/v1/config/resources?kind=Parameter&cursor=${cursor}`,
      `/v1/config/drift?cursor=${cursor}`,
      '/v1/config/resources?cursor=AAAA',
    ]) {
      const refused = await api.send('GET', path, { key: acme })
      expect([refused.status, refused.json.error.code]).toEqual([400, 'invalid_cursor'])
    }
    const others = await api.send('GET', `/v1/config/resources?limit=2&cursor=${cursor}`, { key: platform })
    expect(others.json.error.code).toBe('invalid_cursor')
  })

  test('shows one resource with its content, and another tenant’s as if it were not there', async () => {
    const shown = await api.send('GET', '/v1/config/resources/acme/Parameter/colour', { key: acme })
    expect(shown.json.content.spec).toEqual({ value: 'red' })
    const foreign = await api.send('GET', '/v1/config/resources/beta/Parameter/hidden', { key: acme })
    const absent = await api.send('GET', '/v1/config/resources/beta/Parameter/absent', { key: acme })
    expect(foreign.status).toBe(404)
    expect(withoutId(foreign.text).replaceAll('hidden', 'absent')).toBe(withoutId(absent.text))
  })

  test('plans the folder the server follows, saves the plan, and applies it', async () => {
    engine.write({ 'tenants/acme/more.yaml': parameter('more', 1) })
    const planned = await api.send('POST', '/v1/config/plan', { key: platform, body: { save: true } })
    expect(planned.status).toBe(200)
    expect(planned.json.counts).toEqual({ create: 1, update: 0, delete: 0 })
    const applied = await api.send('POST', '/v1/config/apply', {
      key: platform,
      body: { plan_file: planned.json.file },
    })
    expect(applied.json.outcomes).toMatchObject([{ address: 'acme/Parameter/more', outcome: 'applied' }])
    const altered = `${planned.json.file.slice(0, 400)}${planned.json.file[400] === 'A' ? 'B' : 'A'}${planned.json.file.slice(401)}`
    const refused = await api.send('POST', '/v1/config/apply', { key: platform, body: { plan_file: altered } })
    expect(refused.status).toBe(409)
    expect(refused.json.error.code).toMatch(/^plan_(?:altered|unreadable)$/)
  })

  test('a key of one tenant plans and applies its own folder, and nothing outside of it', async () => {
    const files = {
      'tenants/acme/tenant.yaml': tenant('acme'),
      'tenants/acme/settings.yaml': docs(parameter('colour', 'blue'), parameter('size', 3), parameter('more', 1)),
    }
    const planned = await api.send('POST', '/v1/config/plan', { key: acme, body: { files } })
    expect(planned.json.changes).toMatchObject([{ address: 'acme/Parameter/colour', change: 'update' }])
    expect(planned.text).not.toContain('beta')
    const applied = await api.send('POST', '/v1/config/apply', { key: acme, body: { files } })
    expect(applied.json.outcomes).toMatchObject([{ address: 'acme/Parameter/colour', outcome: 'applied' }])
    const outside = await api.send('POST', '/v1/config/plan', {
      key: acme,
      body: { files: { 'tenants/beta/settings.yaml': parameter('hidden', 'x') } },
    })
    expect([outside.status, outside.json.error.code]).toEqual([422, 'validation_failed'])
    const broken = await api.send('POST', '/v1/config/plan', {
      key: acme,
      body: { files: { ...files, 'tenants/acme/bad.yaml': 'apiVersion: fibric.io/v1\nkind: Nothing\n' } },
    })
    expect([broken.status, broken.json.error.code]).toEqual([422, 'invalid_configuration'])
    expect(broken.json.error.details.diagnostics[0].path).toBe('tenants/acme/bad.yaml')
  })

  test('a saved plan of another domain is not carried out for a key of one tenant', async () => {
    engine.write({ 'tenants/beta/more.yaml': parameter('more', 1) })
    const planned = await api.send('POST', '/v1/config/plan', { key: platform, body: { save: true, tenant: 'beta' } })
    const refused = await api.send('POST', '/v1/config/apply', { key: acme, body: { plan_file: planned.json.file } })
    expect([refused.status, refused.json.error.code]).toEqual([403, 'insufficient_scope'])
    engine.write({ 'tenants/beta/more.yaml': null })
  })

  test.each([
    '../escape.yaml',
    '/etc/x',
    'tenants/acme/../../x',
    'tenants//x',
    'a\\b',
    'tenants/acme/.git/config',
    'a\u0001',
  ])('refuses a bundle with the path %j', async (path) => {
    const refused = await api.send('POST', '/v1/config/plan', { key: platform, body: { files: { [path]: '' } } })
    expect([refused.status, refused.json.error.code]).toEqual([422, 'validation_failed'])
  })

  test('suspends and resumes a resource, and says why it waits', async () => {
    const at = '/v1/config/resources/acme/Parameter/size'
    const body = { reason: 'freeze', for: '2h' }
    const suspended = await api.send('POST', `${at}/suspend`, { key: acme, body })
    expect(suspended.json).toMatchObject({ object: 'suspension', until: '2026-03-02T11:00:00.000Z' })
    const waits = await api.send('GET', '/v1/config/waiting/acme/Parameter/size', { key: acme })
    expect(waits.json.data[0].message).toContain('freeze')
    expect((await api.send('POST', `${at}/resume`, { key: acme })).status).toBe(200)
    expect((await api.send('POST', `${at}/resume`, { key: acme })).json.error.code).toBe('state_conflict')
    for (const wrong of ['soon', '9999999999d', '-1h', '0s']) {
      const refused = await api.send('POST', `${at}/suspend`, { key: acme, body: { reason: 'x', for: wrong } })
      expect(refused.status, wrong).toBe(422)
    }
  })

  test('tells the state of the deployment as far as the key sees it', async () => {
    const own = await api.send('GET', '/v1/config/status', { key: acme })
    const all = await api.send('GET', '/v1/config/status', { key: platform })
    expect(own.json).toMatchObject({ object: 'config_status', genesis: 'closed', drifted: 0, waiting: 0 })
    expect(own.json.resources).toBeLessThan(all.json.resources)
  })
})

describe('the ledger, guardrails, keys and tenants', () => {
  test('lists receipts newest first and shows one', async () => {
    const listed = await api.send('GET', '/v1/receipts?limit=3', { key: platform })
    const ids = listed.json.data.map((each: { id: string }) => each.id)
    expect(ids).toEqual(ids.toSorted().toReversed())
    const shown = await api.send('GET', `/v1/receipts/${ids[0]}`, { key: platform })
    expect(shown.json.id).toBe(ids[0])
  })

  test('shows the policies that bind a tenant and asks the gate', async () => {
    const listed = await api.send('GET', '/v1/guardrails', { key: acme })
    expect(listed.json.data).toMatchObject([{ object: 'guardrail', address: '_platform/TrustPolicy/config' }])
    const { id } = listed.json.data[0]
    expect(id).toMatch(/^grd_/)
    expect((await api.send('GET', `/v1/guardrails/${id}`, { key: acme })).json.rules).toHaveLength(1)
    const actions = [
      { capability: 'config.parameter.create', change: 'widens' },
      { capability: 'refund.issue', value: 10, tier: 2 },
    ]
    const asked = await api.send('POST', '/v1/guardrails/evaluate', { key: acme, body: { actions } })
    expect(asked.json.data.map((each: { decision: string }) => each.decision)).toEqual(['ALLOW', 'BLOCK'])
  })

  test('makes, lists and revokes keys, and never shows a secret twice', async () => {
    const body = { role: 'read_only', name: 'reader', expires_in: '1h' }
    const made = await api.send('POST', '/v1/tenant/keys', { key: acme, body })
    expect(made.status).toBe(201)
    expect((await api.send('GET', '/v1/tenant', { key: made.json.secret })).json.slug).toBe('acme')
    const listed = await api.send('GET', '/v1/tenant/keys', { key: acme })
    const found = listed.json.data.find((each: { id: string }) => each.id === made.json.id)
    expect(found).toMatchObject({ name: 'reader', role: 'read_only' })
    expect(listed.text).not.toContain(made.json.secret)
    expect((await api.send('DELETE', `/v1/tenant/keys/${made.json.id}`, { key: acme })).json.revoked).toBe(true)
    const refused = await api.send('GET', '/v1/tenant', { key: made.json.secret })
    expect([refused.status, refused.json.error.code]).toEqual([401, 'key_revoked'])
  })

  test('tenants are listed for a platform credential alone', async () => {
    const listed = await api.send('GET', '/v1/platform/tenants', { key: platform })
    expect(listed.json.data.map((each: { slug: string }) => each.slug)).toEqual(['acme', 'beta'])
    const refused = await api.send('GET', '/v1/platform/tenants', { key: acme })
    expect([refused.status, refused.json.error.code]).toEqual([403, 'insufficient_scope'])
  })
})

function withoutId(text: string): string {
  return text.replaceAll(/req_[0-9a-f]+/g, 'req')
}
