import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { recordRefusals } from '../../controller/api/refusals.ts'
import { allowAll, doc, open, parameter, policy } from '../operations/repositories.ts'
import { type Sent, type TestApi, testApi } from '../support/api.ts'
import { type TestEngine, testEngine } from '../support/engine.ts'

let engine: TestEngine
let api: TestApi
let platform: string
let acme: string
let beta: string

beforeAll(async () => {
  engine = await testEngine({
    ...open,
    'fibric.yaml': doc('Deployment', 'test', '{hostDomains: [tenants.example, {domain: bank.example, tenant: beta}]}'),
    'tenants/_platform/policy.yaml': policy('config', allowAll),
    'tenants/acme/tenant.yaml': doc('Tenant', 'acme', '{displayName: Acme, hosts: [shop.acme.example]}'),
    'tenants/acme/settings.yaml': parameter('colour', 'red'),
    'tenants/beta/tenant.yaml': doc('Tenant', 'beta', '{displayName: Beta}'),
  })
  await engine.apply()
  api = await testApi(engine)
  platform = await api.key(null)
  acme = await api.key('acme')
  beta = await api.key('beta')
})
afterAll(async () => {
  await api.close()
  await engine.close()
})

describe('the host', () => {
  test.each([
    ['shop.acme.example', 'acme'],
    ['SHOP.Acme.Example.:8080', 'acme'],
    ['acme.tenants.example', 'acme'],
    ['bank.example', 'beta'],
    ['beta.tenants.example:4310', 'beta'],
  ])('%s is that of %s', async (host, slug) => {
    const sent = await api.send('GET', '/v1/tenant', { host, key: slug === 'acme' ? acme : beta })
    expect([sent.status, sent.json.slug]).toEqual([200, slug])
  })

  test.each(['localhost', 'localhost:4310', '127.0.0.1', '127.0.0.9:1', '[::1]:4310'])(
    '%s is the deployment’s own, where the credential says the tenant',
    async (host) => {
      expect((await api.send('GET', '/v1/tenant', { host, key: acme })).json.slug).toBe('acme')
      expect((await api.send('GET', '/v1/tenant', { host, key: platform })).json.slug).toBe('_platform')
    },
  )

  test.each([
    'example.com',
    'gamma.tenants.example',
    '_platform.tenants.example',
    'tenants.example',
    '10.0.0.1',
    'a b',
  ])('any other host gets a neutral 404: %j', async (host) => {
    for (const [path, key] of [
      ['/v1/tenant', acme],
      ['/v1/tenant', null],
      ['/v1/openapi.json', null],
      ['/metrics', platform],
      ['/nothing', null],
    ] as const) {
      const sent = await api.send('GET', path, { host, key })
      expect([sent.status, sent.json?.error?.message], `${path} ${sent.text.slice(0, 100)}`).toEqual([
        404,
        'there is nothing here',
      ])
    }
  })

  test.each(['GET /v1/tenant HTTP/1.1\r\n', 'GET /v1/tenant HTTP/1.1\r\nhost:\r\n'])(
    'no host at all is no host of ours: %j',
    async (head) => {
      const answer = await overSocket(`${head}connection: close\r\nauthorization: Bearer ${acme}\r\n\r\n`)
      expect(answer).toMatch(/^HTTP\/1\.1 404 /)
      expect(answer).toContain('there is nothing here')
    },
  )

  test('a forwarded host counts only from a trusted proxy', async () => {
    const headers = { 'x-forwarded-host': 'shop.acme.example' }
    const untrusted = await api.send('GET', '/v1/tenant', { host: 'example.com', key: acme, headers })
    expect(untrusted.status).toBe(404)
    const behind = await testApi(engine, { environment: { FIBRIC_TRUSTED_PROXIES: '127.0.0.0/8' } })
    try {
      const trusted = await behind.send('GET', '/v1/tenant', { host: 'example.com', key: acme, headers })
      expect([trusted.status, trusted.json.slug]).toEqual([200, 'acme'])
      const spoofed = { 'x-forwarded-host': 'localhost, evil.example' }
      expect((await behind.send('GET', '/v1/tenant', { host: 'localhost', key: acme, headers: spoofed })).status).toBe(
        404,
      )
    } finally {
      await behind.close()
    }
  })

  test('probes answer on any host, and metrics take a platform credential', async () => {
    for (const host of ['localhost', 'example.com', 'shop.acme.example']) {
      expect((await api.send('GET', '/healthz', { host })).json).toEqual({ object: 'health', status: 'ok' })
      expect((await api.send('GET', '/readyz', { host })).status).toBe(200)
    }
    expect((await api.send('GET', '/metrics', { key: acme })).status).toBe(403)
    expect((await api.send('GET', '/metrics')).status).toBe(401)
    const metrics = await api.send('GET', '/metrics', { key: platform })
    expect(metrics.text).toContain('fibric_http_request_duration_seconds_bucket')
    expect(metrics.text).toContain('fibric_egress_calls_total')
    expect(metrics.text).toContain('fibric_unknown_credentials_total')
    expect(metrics.text).not.toMatch(/"acme"|"beta"/)
  })
})

describe('the credential', () => {
  test('of another tenant than the host’s is refused, and its ledger says so once a minute', async () => {
    for (let count = 0; count < 3; count++) {
      const sent = await api.send('GET', '/v1/tenant', { host: 'shop.acme.example', key: beta })
      expect([sent.status, sent.json.error.code]).toEqual([403, 'tenant_mismatch'])
      expect(sent.text).not.toContain('acme')
    }
    const governing = await api.send('GET', '/v1/tenant', { host: 'shop.acme.example', key: platform })
    expect(governing.json.error.code).toBe('tenant_mismatch')
    await recordRefusals(engine)
    expect(await refusals(beta)).toEqual([])
    engine.time.now += 60_000
    await recordRefusals(engine)
    expect(await refusals(beta)).toMatchObject([{ code: 'tenant_mismatch', route: 'GET /v1/tenant', count: 3 }])
    await recordRefusals(engine)
    expect(await refusals(beta)).toHaveLength(1)
  })

  test.each([
    [undefined, 'key_invalid'],
    ['Basic YTpi', 'key_invalid'],
    ['Bearer', 'key_invalid'],
    ['Bearer nonsense', 'key_invalid'],
    [`Bearer sk_live_platform_${'0'.repeat(43)}`, 'key_invalid'],
    [`Bearer sk_live_nobody_${'0'.repeat(43)}`, 'key_invalid'],
  ])('%s is %s, in the same words whatever lies behind it', async (authorization, code) => {
    const headers = authorization === undefined ? {} : { authorization }
    const sent = await api.send('GET', '/v1/receipts', { headers })
    expect([sent.status, sent.json.error.code]).toEqual([401, code])
    expect(sent.headers['www-authenticate']).toBe('Bearer')
  })

  test('that is expired, revoked or too small is refused by name, and noted', async () => {
    const short = await api.send('POST', '/v1/tenant/keys', {
      key: acme,
      body: { role: 'read_only', expires_in: '1s' },
    })
    const small = short.json.secret
    const refused = await api.send('POST', '/v1/tenant/keys', { key: small, body: { role: 'read_only' } })
    expect([refused.status, refused.json.error.code]).toEqual([403, 'insufficient_scope'])
    engine.time.now += 2000
    expect((await api.send('GET', '/v1/tenant', { key: small })).json.error.code).toBe('key_expired')
    await recordRefusals(engine, true)
    const codes = (await refusals(acme)).map(({ code }) => code)
    expect(new Set(codes)).toEqual(new Set(['insufficient_scope', 'key_expired']))
  })

  test('nobody knows is refused outright after a while, and known callers beside it are not', async () => {
    const narrow = await testApi(engine, { environment: { FIBRIC_UNKNOWN_PER_MINUTE: '3' } })
    try {
      const statuses: number[] = []
      for (let count = 0; count < 5; count++) statuses.push((await narrow.send('GET', '/v1/tenant')).status)
      expect(statuses).toEqual([401, 401, 401, 429, 429])
      const last = await narrow.send('GET', '/v1/tenant')
      expect(last.json.error.code).toBe('rate_limited')
      expect(Number(last.headers['retry-after'])).toBeGreaterThan(0)
      expect((await narrow.send('GET', '/v1/tenant', { key: acme })).status).toBe(200)
    } finally {
      await narrow.close()
    }
  })
})

describe('the rate', () => {
  test('is counted by domain over all replicas, and given out to the last request', async () => {
    const environment = { FIBRIC_REQUESTS_PER_MINUTE: '40' }
    engine.time.now += 60_000
    const replicas = await Promise.all([testApi(engine, { environment }), testApi(engine, { environment })])
    try {
      const other = await api.key('acme', 'read_only')
      const sent: Sent[] = []
      for (let count = 0; count < 60; count++) {
        sent.push(await replicas[count % 2]!.send('GET', '/v1/tenant', { key: count % 3 === 0 ? other : acme }))
      }
      const allowed = sent.filter(({ status }) => status === 200)
      expect(allowed.length).toBe(40)
      expect(allowed[0]!.headers['x-ratelimit-limit']).toBe('40')
      const refused = sent.at(-1)!
      expect([refused.status, refused.json.error.code]).toEqual([429, 'rate_limited'])
      expect(refused.headers['x-ratelimit-remaining']).toBe('0')
      expect(Number(refused.headers['retry-after'])).toBeLessThanOrEqual(60)
      expect((await replicas[0]!.send('GET', '/v1/tenant', { key: beta })).status).toBe(200)
      engine.time.now += 60_000
      expect((await replicas[0]!.send('GET', '/v1/tenant', { key: acme })).status).toBe(200)
    } finally {
      await Promise.all(replicas.map((replica) => replica.close()))
    }
  })
})

describe('a request', () => {
  test('carries an id and a revision back, and an error names it', async () => {
    const sent = await api.send('GET', '/v1/receipts/rc_none', { key: acme })
    expect(sent.headers['x-request-id']).toMatch(/^req_[0-9a-f]{32}$/)
    expect(sent.json.error.request_id).toBe(sent.headers['x-request-id'])
    expect(sent.headers['fibric-version']).toBe('2026-11-01')
    const pinned = await api.send('GET', '/v1/tenant', { key: acme, headers: { 'fibric-version': '2026-11-01' } })
    expect(pinned.status).toBe(200)
    const unknown = await api.send('GET', '/v1/tenant', { key: acme, headers: { 'fibric-version': '2020-01-01' } })
    expect([unknown.status, unknown.json.error.code]).toEqual([400, 'invalid_parameter'])
  })

  const suspend = '/v1/config/resources/acme/Parameter/colour/suspend'
  test.each<[string, string, string, Parameters<TestApi['send']>[2], number, string]>([
    ['a limit out of range', 'GET', '/v1/receipts?limit=101', {}, 400, 'invalid_parameter'],
    ['a limit of nothing', 'GET', '/v1/receipts?limit=0', {}, 400, 'invalid_parameter'],
    ['a limit that is no number', 'GET', '/v1/receipts?limit=many', {}, 400, 'invalid_parameter'],
    ['a limit said twice', 'GET', '/v1/receipts?limit=1&limit=2', {}, 400, 'invalid_parameter'],
    ['an unknown parameter', 'GET', '/v1/receipts?colour=red', {}, 400, 'invalid_parameter'],
    ['a parameter with U+0000', 'GET', '/v1/receipts?tenant=a%00b', {}, 400, 'invalid_parameter'],
    ['an id with U+0000', 'GET', '/v1/receipts/rc%00', {}, 400, 'invalid_parameter'],
    ['a path that is none', 'GET', '/v1/receipts/%zz', {}, 400, 'invalid_parameter'],
    ['a route there is none of', 'GET', '/v1/nothing', {}, 404, 'not_found'],
    ['a method the route has not', 'PUT', '/v1/receipts', {}, 404, 'not_found'],
    ['another tenant by name', 'GET', '/v1/receipts?tenant=beta', {}, 404, 'not_found'],
    ['a body that is no JSON', 'POST', suspend, { raw: '{"reason":' }, 400, 'invalid_json'],
    ['a body that is no UTF-8', 'POST', suspend, { raw: Buffer.from([0x22, 0xff, 0x22]) }, 400, 'invalid_json'],
    ['a body with U+0000', 'POST', suspend, { body: { reason: 'a\0b', for: '1h' } }, 400, 'invalid_json'],
    ['half a surrogate pair', 'POST', suspend, { raw: '{"reason":"\\ud800","for":"1h"}' }, 400, 'invalid_json'],
    [
      'nesting without end',
      'POST',
      suspend,
      { raw: `${'['.repeat(100_000)}${']'.repeat(100_000)}` },
      400,
      'invalid_json',
    ],
    ['no body', 'POST', suspend, {}, 400, 'invalid_json'],
    ['a field too many', 'POST', suspend, { body: { reason: 'a', for: '1h', more: 1 } }, 422, 'validation_failed'],
    ['a field too few', 'POST', suspend, { body: { reason: 'a' } }, 422, 'validation_failed'],
    ['a number for a text', 'POST', suspend, { body: { reason: 1, for: '1h' } }, 422, 'validation_failed'],
    ['a list for an object', 'POST', suspend, { body: [] }, 422, 'validation_failed'],
    [
      'another type',
      'POST',
      suspend,
      { raw: 'a=b', headers: { 'content-type': 'text/plain' } },
      415,
      'unsupported_media_type',
    ],
    ['no type', 'POST', suspend, { raw: '{}', headers: { 'content-type': '' } }, 415, 'unsupported_media_type'],
    [
      'a compressed body',
      'POST',
      suspend,
      { body: {}, headers: { 'content-encoding': 'gzip' } },
      415,
      'unsupported_media_type',
    ],
    ['a body too large', 'POST', suspend, { raw: `"${'x'.repeat(1_100_000)}"` }, 413, 'payload_too_large'],
    [
      'an idempotency key too long',
      'POST',
      suspend,
      { body: { reason: 'a', for: '1h' }, headers: { 'idempotency-key': 'k'.repeat(256) } },
      400,
      'invalid_parameter',
    ],
  ])('%s is an error in one form', async (_name, method, path, options, status, code) => {
    const sent = await api.send(method, path, { key: acme, ...options })
    expect([sent.status, sent.json?.error?.code]).toEqual([status, code])
    expect(Object.keys(sent.json.error)).toEqual(
      expect.arrayContaining(['type', 'code', 'message', 'doc_url', 'request_id']),
    )
  })

  test('that is not HTTP gets the same form, and the connection ends', async () => {
    const answer = await overSocket('NONSENSE\r\n\r\n')
    expect(answer).toMatch(/^HTTP\/1\.1 400 /)
    expect(JSON.parse(answer.slice(answer.indexOf('{'))).error.code).toBe('invalid_parameter')
  })
})

async function refusals(key: string): Promise<{ code: string; route: string; count: number }[]> {
  const listed = await api.send('GET', '/v1/receipts?limit=100', { key })
  return listed.json.data.flatMap((entry: { kind: string; body: { details: never } }) =>
    entry.kind === 'control.credential.refuse' ? [entry.body.details] : [],
  )
}

function overSocket(text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(api.port, '127.0.0.1', () => socket.write(text))
    let answer = ''
    socket.setEncoding('utf8')
    socket.on('data', (chunk: string) => {
      answer += chunk
    })
    socket.on('end', () => resolve(answer))
    socket.on('error', reject)
  })
}
