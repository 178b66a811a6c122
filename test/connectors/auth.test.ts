import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { signV4 } from '../../controller/connectors/auth/sigv4.ts'
import { ConnectorRuntime, type ConnectorSettings } from '../../controller/connectors/runtime.ts'
import { setSecret } from '../../controller/operations/secrets.ts'
import type { TestEngine } from '../support/engine.ts'
import { answers, type Behaviour, type Provider, type Received, startProvider } from '../support/provider.ts'
import { attempt, bind, labConnector, labEngine, tenantIdOf } from './lab.ts'

const path = '/api/things/t1'
const args = { id: 't1' }
const ok = answers(200, { ok: true })

let provider: Provider
let engine: TestEngine
let opened: TestEngine | null = null

beforeAll(async () => {
  provider = await startProvider()
})
afterAll(() => provider.close())
beforeEach(() => provider.forget())
afterEach(async () => {
  await opened?.close()
  opened = null
})

/** An engine whose one connection authenticates so, with these fields set. */
async function world(auth: string, fields: { readonly [field: string]: string }, on: Provider = provider) {
  engine = opened = await labEngine(on, { auth })
  for (const [field, value] of Object.entries(fields)) await set(field, value)
  return worldOf({})
}

async function worldOf(settings: Partial<ConnectorSettings>) {
  const runtime = new ConnectorRuntime({ database: engine.database, clock: engine.clock, aws: null, ...settings })
  const tenant = await tenantIdOf(engine, 'acme')
  const make = await bind(runtime, tenant, 'thing.make')
  const read = await bind(runtime, tenant, 'thing.read')
  return {
    runtime,
    go: () => attempt(runtime, make, args),
    read: () => runtime.read(read, args, new AbortController().signal),
  }
}

const set = (field: string, value: string) => setSecret(engine, 'acme', `lab-key.${field}`, Buffer.from(value))

describe('an API key', () => {
  test('goes into its header', async () => {
    const { go } = await world('{kind: api_key, in: header, name: X-Api-Key}', { value: 'key-of-the-lab' })
    provider.on(path, ok)
    expect(await go()).toMatchObject({ kind: 'applied', credential: { name: 'lab-key', version: 1 } })
    expect(provider.received[0]!.headers['x-api-key']).toBe('key-of-the-lab')
  })

  test('goes into its query parameter, encoded, and into nothing the token or the plan names', async () => {
    const { go, runtime } = await world('{kind: api_key, in: query, name: api_key}', { value: 'a&b=c d#e' })
    provider.on(path, ok)
    expect(await go()).toMatchObject({ kind: 'applied' })
    expect(new URL(provider.received[0]!.path, provider.url).searchParams.get('api_key')).toBe('a&b=c d#e')
    const bound = await bind(runtime, await tenantIdOf(engine, 'acme'), 'thing.make')
    expect(JSON.stringify(runtime.plan(bound, args))).not.toContain('api_key')
  })

  test('that is not set is missing: not done, and it may come later', async () => {
    const { go } = await world('{kind: api_key, in: header, name: X-Api-Key}', {})
    expect(await go()).toMatchObject({ kind: 'not-done', reason: 'the credential `lab-key` has no `value`' })
    expect(provider.received).toEqual([])
    await set('value', 'key-of-the-lab')
    provider.on(path, ok)
    expect(await go()).toMatchObject({ kind: 'applied' })
    await set('value', 'next-key-of-the-lab')
    expect(await go()).toMatchObject({ kind: 'applied', credential: { version: 2 } })
    expect(provider.received[1]!.headers['x-api-key']).toBe('next-key-of-the-lab')
  })

  test('that holds a line break is never sent, nor shown', async () => {
    const { go } = await world('{kind: api_key, in: header, name: X-Api-Key}', { value: 'key\r\nx-injected: yes' })
    const result = await go()
    expect(result.kind).toBe('not-sent')
    expect(JSON.stringify(result)).not.toContain('injected')
    expect(provider.received).toEqual([])
  })
})

test('basic authentication takes user name and password', async () => {
  const { go } = await world('{kind: basic}', { username: 'ana', password: 'correct:horse' })
  provider.on(path, ok)
  expect(await go()).toMatchObject({ kind: 'applied' })
  expect(provider.received[0]!.headers.authorization).toBe(
    `Basic ${Buffer.from('ana:correct:horse').toString('base64')}`,
  )
})

describe('a client certificate', () => {
  const pem = (name: string) => readFileSync(join(import.meta.dirname, 'tls', name), 'utf8')
  let secure: Provider
  beforeAll(async () => {
    secure = await startProvider({
      cert: pem('server.crt'),
      key: pem('server.key'),
      ca: pem('ca.crt'),
      requestCert: true,
      rejectUnauthorized: true,
    })
  })
  afterAll(() => secure.close())

  const secured = async (fields: { readonly [field: string]: string }) => {
    engine = opened = await labEngine(secure, {
      extra: { 'tenants/_platform/connectors/lab.yaml': labConnector('{kind: mtls}', 'https') },
    })
    for (const [field, value] of Object.entries(fields)) await set(field, value)
    return worldOf({})
  }

  test('shows who we are to the server its authority vouches for', async () => {
    const { go } = await secured({ cert: pem('client.crt'), key: pem('client.key'), ca: pem('ca.crt') })
    secure.on(path, ok)
    expect(await go()).toMatchObject({ kind: 'applied', credential: { name: 'lab-key', version: 1 } })
  })

  test('a server that nobody vouches for is not talked to: not done', async () => {
    secure.forget()
    const { go } = await secured({ cert: pem('client.crt'), key: pem('client.key') })
    const result = await go()
    expect(result).toMatchObject({ kind: 'not-done', status: null })
    expect(result.reason).toContain('no connection')
    expect(secure.received).toEqual([])
  })
})

describe('OAuth 2', () => {
  const auth = '{kind: oauth2, scopes: ["things:write"], tokenUrl: "http://127.0.0.1:${config.port}/token"}'
  const client = { client_id: 'the-client', client_secret: 'secret-of-client' }
  const asked = () => provider.received.filter((request) => request.path === '/token')
  let issued = 0
  const grants =
    (more: { [name: string]: unknown } = {}): Behaviour =>
    (request, response, socket) =>
      answers(200, { access_token: `access-token-${++issued}`, token_type: 'Bearer', expires_in: 3600, ...more })(
        request,
        response,
        socket,
      )
  beforeEach(() => {
    issued = 0
  })

  test('asks for a token once, and uses it until it is old', async () => {
    const { go } = await world(auth, client)
    provider.on('/token', grants())
    provider.on(path, ok)
    for (let attempts = 0; attempts < 3; attempts++) expect(await go()).toMatchObject({ kind: 'applied' })
    expect(asked().map(({ body }) => body)).toEqual(['grant_type=client_credentials&scope=things%3Awrite'])
    expect(asked()[0]!.headers.authorization).toBe(
      `Basic ${Buffer.from('the-client:secret-of-client').toString('base64')}`,
    )
    const used = provider.received.filter((request) => request.path === path)
    expect(used.map(({ headers }) => headers.authorization)).toEqual(new Array(3).fill('Bearer access-token-1'))
    await engine.sql(`update fibric.oauth_token set refresh_at = clock_timestamp() - interval '1 s'`)
    expect(await go()).toMatchObject({ kind: 'applied' })
    expect(asked().length).toBe(2)
  })

  test('has one refresher, however many replicas need a token at once', async () => {
    const { go } = await world(auth, client)
    const replica = await worldOf({})
    provider.on('/token', grants())
    provider.on(path, ok)
    const all = await Promise.all(Array.from({ length: 12 }, (_, index) => (index % 2 === 0 ? go() : replica.go())))
    expect(all.map(({ kind }) => kind)).toEqual(new Array(12).fill('applied'))
    expect(asked().length).toBe(1)
  })

  test('keeps the refresh token that the server put in place of the last', async () => {
    const { go } = await world(auth, { ...client, refresh_token: 'refresh-token-1' })
    provider.on('/token', grants({ refresh_token: 'refresh-token-2' }))
    provider.on(path, ok)
    expect(await go()).toMatchObject({ kind: 'applied' })
    await engine.sql(`update fibric.oauth_token set refresh_at = clock_timestamp() - interval '1 s'`)
    expect(await go()).toMatchObject({ kind: 'applied', credential: { version: 2 } })
    expect(asked().map(({ body }) => new URLSearchParams(body).get('refresh_token'))).toEqual([
      'refresh-token-1',
      'refresh-token-2',
    ])
  })

  test('takes a refusal as final until the credential moves', async () => {
    const { go } = await world(auth, { ...client, refresh_token: 'refresh-token-1' })
    provider.on('/token', answers(400, { error: 'invalid_grant', error_description: 'secret-of-client is wrong' }))
    const refused = await go()
    expect(refused).toMatchObject({ kind: 'failed', reason: expect.stringContaining('invalid_grant') })
    expect(JSON.stringify(refused)).not.toContain('secret-of-client')
    await go()
    expect(asked().length, 'it is not asked again').toBe(1)
    await set('refresh_token', 'refresh-token-2')
    provider.on('/token', grants())
    provider.on(path, ok)
    expect(await go()).toMatchObject({ kind: 'applied' })
  })

  test('does not take a refusal of a credential that moved meanwhile as final', async () => {
    const { go } = await world(auth, { ...client, refresh_token: 'refresh-token-1' })
    provider.on(path, ok)
    provider.on('/token', async (request, response, socket) => {
      if (request.body.includes('refresh-token-1')) {
        await set('refresh_token', 'refresh-token-2')
        await answers(400, { error: 'invalid_grant' })(request, response, socket)
      } else await grants()(request, response, socket)
    })
    expect(await go()).toMatchObject({ kind: 'applied', credential: { name: 'lab-key' } })
  })

  test('drops a token that the provider answers 401 to', async () => {
    const { go, read } = await world(auth, client)
    provider.on('/token', grants())
    provider.on(path, answers(401, {}))
    expect(await go()).toMatchObject({ kind: 'failed', status: 401 })
    provider.on(path, ok)
    expect(await read()).toMatchObject({ kind: 'ok' })
    expect(asked().length).toBe(2)
  })

  test.each([
    { what: 'does not answer', does: answers(500, {}) },
    { what: 'answers no JSON', does: answers(200, 'nonsense') },
    { what: 'answers no token', does: answers(200, { token_type: 'Bearer' }) },
    { what: 'redirects', does: answers(302, {}, { location: '/elsewhere' }) },
  ])('waits for a token endpoint that $what: not done', async ({ does }) => {
    const { go } = await world(auth, client)
    provider.on('/token', does)
    expect(await go()).toMatchObject({ kind: 'not-done' })
    expect(provider.received.map((request) => request.path)).toEqual(['/token'])
  })
})

describe('AWS', () => {
  const example = {
    accessKeyId: 'AKIDEXAMPLE',
    secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
    sessionToken: null,
  }
  const scope = { service: 'service', region: 'us-east-1', now: new Date('2015-08-30T12:36:00Z') }

  // From the AWS Signature Version 4 test suite.
  test.each([
    {
      name: 'get-vanilla',
      method: 'GET',
      url: 'https://example.amazonaws.com/',
      signature: '5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31',
    },
    {
      name: 'post-vanilla',
      method: 'POST',
      url: 'https://example.amazonaws.com/',
      signature: '5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b',
    },
    {
      name: 'get-vanilla-query-order-key-case',
      method: 'GET',
      url: 'https://example.amazonaws.com/?Param2=value2&Param1=value1',
      signature: 'b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500',
    },
  ])('signs as the specification does: $name', ({ method, url, signature }) => {
    const signed = signV4({ method, url: new URL(url), headers: {}, body: null }, example, scope)
    expect(signed.authorization).toBe(
      `AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=${signature}`,
    )
  })

  test('assumes the role of the credential once, and signs with what it got', async () => {
    await world('{kind: aws_iam, service: execute-api, region: eu-central-1}', {
      role_arn: 'arn:aws:iam::123456789012:role/fibric',
      external_id: 'the-external-id',
    })
    provider.on('/sts', (_request: Received, response) => {
      response.writeHead(200, { 'content-type': 'text/xml' })
      const session =
        '<AccessKeyId>ASIAEXAMPLEEXAMPLE</AccessKeyId><SecretAccessKey>session+secret/of+the+role</SecretAccessKey><SessionToken>session-token-of-the-role</SessionToken>'
      response.end(
        `<AssumeRoleResponse><AssumeRoleResult><Credentials>${session}</Credentials></AssumeRoleResult></AssumeRoleResponse>`,
      )
    })
    provider.on(path, answers(200, { ok: true, echo: 'session-token-of-the-role' }))
    const { go } = await worldOf({ aws: { credentials: example, stsUrl: `${provider.url}/sts` } })
    const result = await go()
    expect(result).toMatchObject({ kind: 'applied' })
    expect(JSON.stringify(result)).not.toContain('session-token-of-the-role')
    await go()
    const [assumed, first, second] = provider.received
    expect(Object.fromEntries(new URLSearchParams(assumed!.body))).toMatchObject({
      Action: 'AssumeRole',
      RoleArn: 'arn:aws:iam::123456789012:role/fibric',
      ExternalId: 'the-external-id',
    })
    expect(assumed!.headers.authorization).toContain('/eu-central-1/sts/aws4_request')
    expect(first!.headers['x-amz-security-token']).toBe('session-token-of-the-role')
    expect(first!.headers.authorization).toContain('Credential=ASIAEXAMPLEEXAMPLE/')
    expect(first!.headers.authorization).toContain('/eu-central-1/execute-api/aws4_request')
    expect(second!.path).toBe(path)
  })

  test('waits where the deployment has no identity of its own', async () => {
    const { go } = await world('{kind: aws_iam, service: s3, region: eu-central-1}', {
      role_arn: 'arn:aws:iam::123456789012:role/fibric',
    })
    expect(await go()).toMatchObject({ kind: 'not-done', reason: expect.stringContaining('AWS identity') })
  })
})

describe('a canary', () => {
  const canary = 'cAn4ry/+of=the lab "quoted"'
  const forms = [
    canary,
    JSON.stringify(canary).slice(1, -1),
    encodeURIComponent(canary),
    Buffer.from(canary).toString('base64'),
    Buffer.from(canary).toString('base64url'),
    Buffer.from(canary).toString('hex'),
  ]

  test.each([200, 400, 500])('that the provider sends back in every form with %i turns up nowhere', async (status) => {
    const { go, read } = await world('{kind: api_key, in: header, name: X-Api-Key}', { value: canary })
    const log: string[] = []
    const write = process.stderr.write.bind(process.stderr)
    process.stderr.write = ((text: string) => log.push(String(text)) > 0) as typeof process.stderr.write
    try {
      const echo = {
        ok: true,
        forms,
        [canary]: 1,
        nested: { text: `before ${canary} after`, basic: Buffer.from(`ab${canary}cd`).toString('base64') },
      }
      provider.on(
        path,
        answers(status, echo, { 'x-echo': encodeURIComponent(canary), location: `/${encodeURIComponent(canary)}` }),
      )
      const results = [await go(), await read()]
      const shown = [JSON.stringify(results), ...log].join('\n')
      for (const form of [...forms, JSON.stringify(canary)]) expect(shown).not.toContain(form)
      expect(shown).not.toContain(Buffer.from(`ab${canary}cd`).toString('base64').slice(4, 30))
    } finally {
      process.stderr.write = write
    }
    const tables = await engine.sql<{ name: string }>(
      `select relname as name from pg_class where relnamespace = 'fibric'::regnamespace and relkind = 'r'`,
    )
    for (const { name } of tables) {
      const rows = await engine.sql<{ row: string }>(`select t::text as row from fibric.${name} t`)
      for (const form of forms)
        expect(
          rows.some(({ row }) => row.includes(form)),
          `${name} holds it`,
        ).toBe(false)
    }
  })
})
