import fc from 'fast-check'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { isReachable } from '../../controller/connectors/egress/address.ts'
import { EgressBroker, type EgressCall } from '../../controller/connectors/egress/broker.ts'
import { settleDestination } from '../../controller/connectors/egress/destination.ts'
import { KeptConnections } from '../../controller/connectors/egress/kept-connections.ts'
import { retryAfterMs } from '../../controller/connectors/egress/rate-gates.ts'
import { sendOnce, type WireRequest } from '../../controller/connectors/egress/send.ts'
import { digestBytes } from '../../controller/domain/digest.ts'
import { platformTenantId } from '../../controller/domain/ids.ts'
import { type TestDatabase, testDatabase } from '../support/database.ts'
import { answers, type Provider, startProvider } from '../support/provider.ts'
import { type NameServer, nameServer } from './dns-server.ts'

describe('addresses', () => {
  test.each([
    ...['0.0.0.0', '10.1.2.3', '100.64.0.1', '100.127.255.255', '127.0.0.1', '127.255.0.1', '169.254.169.254'],
    ...['172.16.0.1', '172.31.255.255', '192.0.0.1', '192.0.2.1', '192.88.99.1', '192.168.1.1', '198.18.0.1'],
    ...['198.19.255.255', '198.51.100.1', '203.0.113.1', '224.0.0.1', '239.1.1.1', '240.0.0.1', '255.255.255.255'],
    ...['::', '::1', '::127.0.0.1', '::ffff:127.0.0.1', '::ffff:8.8.8.8', '::ffff:0:127.0.0.1', '64:ff9b::7f00:1'],
    ...['64:ff9b::8.8.8.8', '64:ff9b:1::1', '100::1', '2001::1', '2001:0:1::1', '2001:db8::1', '2002:7f00:1::'],
    ...['2002::1', '3fff::1', '5f00::1', 'fc00::1', 'fd12:3456::1', 'fe80::1', 'fe80::1%eth0', 'fec0::1', 'ff02::1'],
    ...['', 'localhost', '127.1', '0x7f000001', '017700000001', '2130706433', '1.2.3.4.5', '8.8.8.8%eth0', 'g::1'],
  ])('`%s` is closed', (address) => {
    expect(isReachable(address, [])).toBe(false)
  })

  test.each([
    '1.1.1.1',
    '8.8.8.8',
    '100.63.255.255',
    '100.128.0.1',
    '172.15.0.1',
    '172.32.0.1',
    '223.255.255.254',
    '2606:4700::1111',
    '2a00:1450:4001::200e',
    '2001:4860:4860::8888',
  ])('`%s` is open', (address) => {
    expect(isReachable(address, [])).toBe(true)
  })

  test('a range that the Deployment names opens what it contains, and nothing beside it', () => {
    expect(isReachable('10.1.2.3', ['10.1.0.0/16'])).toBe(true)
    expect(isReachable('10.2.0.1', ['10.1.0.0/16'])).toBe(false)
    expect(isReachable('fd00::1', ['fd00::/8'])).toBe(true)
    expect(isReachable('127.0.0.1', ['127.0.0.1/32'])).toBe(true)
    expect(isReachable('127.0.0.2', ['127.0.0.1/32'])).toBe(false)
    // Another spelling of the address is another address: it has to be named itself.
    expect(isReachable('::ffff:127.0.0.1', ['127.0.0.1/32'])).toBe(false)
    expect(isReachable('::ffff:127.0.0.1', ['::ffff:127.0.0.1/128'])).toBe(true)
  })

  test('a range contains exactly the addresses with its prefix', () => {
    const v4 = fc.nat({ max: 0xffff_ffff })
    fc.assert(
      fc.property(v4, v4, fc.integer({ min: 0, max: 32 }), (address, base, length) => {
        const same = length === 0 || address >>> (32 - length) === base >>> (32 - length)
        const opened = isReachable(dotted(address), [`${dotted(base)}/${length}`])
        expect(opened).toBe(same || isReachable(dotted(address), []))
      }),
    )
  })
})

describe('destinations', () => {
  const settle = (
    url: string,
    hosts: readonly string[] | null = null,
    addresses: readonly string[] = ['93.184.215.14'],
  ) =>
    settleDestination(url, { hosts: hosts ?? [URL.parse(url)?.host ?? ''], allowPrivate: [] }, async () =>
      addresses.map((address) => ({ address, family: address.includes(':') ? (6 as const) : (4 as const) })),
    )

  test.each([
    ...['http://127.0.0.1/', 'http://127.1/', 'http://2130706433/', 'http://0x7f.1/', 'http://0x7f000001/'],
    ...['http://0177.0.0.1/', 'http://017700000001/', 'http://127.0.0.1./', 'http://①②⑦.⓪.⓪.①/', 'http://0/'],
    ...['http://[::1]/', 'http://[::ffff:127.0.0.1]/', 'http://[::ffff:7f00:1]/', 'http://[0:0:0:0:0:ffff:7f00:1]/'],
    ...['http://[64:ff9b::7f00:1]/', 'http://[fe80::1]/', 'http://169.254.169.254/latest/meta-data/'],
    ...['http://0xA9FEA9FE/', 'http://2852039166/', 'http://[fd00:ec2::254]/', 'http://10.0.0.1:8080/'],
  ])('`%s` is refused even where its host is allowed', async (url) => {
    expect(await settle(url)).toMatchObject({ kind: 'refused', reason: expect.stringContaining('is not public') })
  })

  test.each([
    { url: 'https://other.example/', why: 'not in the connection' },
    { url: 'https://shop.example.evil.example/', why: 'not in the connection' },
    { url: 'https://shop.example:8443/', why: 'not in the connection' },
    { url: 'https://shop.example@evil.example/', why: 'user name' },
    { url: 'https://evil.example#@shop.example/', why: 'not in the connection' },
    { url: 'https://shop.example\\@evil.example/', why: 'not in the connection' },
    { url: 'https://shop.example./', why: 'not in the connection' },
    { url: 'ftp://shop.example/', why: 'not http' },
    { url: 'file:///etc/passwd', why: 'not http' },
    { url: 'gopher://127.0.0.1:6379/_FLUSHALL', why: 'not http' },
    { url: 'no url', why: 'cannot be read' },
  ])('`$url` is refused: $why', async ({ url, why }) => {
    const settled = await settle(url, ['shop.example'])
    if (url.includes('\\')) expect(settled).toMatchObject({ url: { host: 'shop.example' } })
    else expect(settled).toMatchObject({ kind: 'refused', reason: expect.stringContaining(why) })
  })

  test('one forbidden address among several refuses them all', async () => {
    const settled = await settle('https://shop.example/', null, ['93.184.215.14', '10.0.0.1'])
    expect(settled).toMatchObject({ kind: 'refused', reason: expect.stringContaining('10.0.0.1') })
  })

  test('nothing that can be typed as a URL reaches a closed address', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat({ max: 0xffff_ffff }),
        fc.constantFrom(decimal, hexadecimal, octal, dotted, mixed),
        async (address, spell) => {
          const settled = await settle(`http://${spell(address)}/`)
          const open = isReachable(dotted(address), [])
          expect('url' in settled, dotted(address)).toBe(open)
        },
      ),
    )
  })
})

describe('the broker', () => {
  let opened: TestDatabase
  let provider: Provider
  let names: NameServer
  let broker: EgressBroker

  beforeAll(async () => {
    opened = await testDatabase()
    provider = await startProvider()
    names = await nameServer()
    broker = new EgressBroker(opened.database, names.resolve)
  })
  afterAll(async () => {
    await opened.close()
    await provider.close()
    names.close()
  })
  beforeEach(() => {
    provider.forget()
    names.asked.length = 0
  })

  const call = (overrides: Partial<EgressCall> & { readonly url: string }): EgressCall => ({
    class: 'read',
    tenantId: platformTenantId,
    allowed: { hosts: [new URL(overrides.url).host], allowPrivate: ['127.0.0.1/32'] },
    method: 'GET',
    headers: {},
    body: null,
    credentials: null,
    deadlineMs: performance.now() + 10_000,
    responseBytesMax: 100_000,
    signal: null,
    token: null,
    ...overrides,
  })

  test('resolves a name once, and connects to what it checked whatever the name says a moment later', async () => {
    names.answer('rebind.example', ['127.0.0.1'], ['169.254.169.254'])
    const url = `http://rebind.example:${provider.port}/`
    expect(await broker.call(call({ url }))).toMatchObject({ kind: 'answered', status: 200 })
    expect(names.asked).toEqual(['rebind.example'])
    expect(provider.received[0]!.headers.host).toBe(`rebind.example:${provider.port}`)
    const second = await broker.call(call({ url }))
    expect(second).toMatchObject({ kind: 'refused', reason: expect.stringContaining('169.254.169.254') })
    expect(provider.received.length).toBe(1)
  })

  test('refuses a public name that points inside', async () => {
    names.answer('inside.example', ['127.0.0.1'])
    const inside = call({ url: `http://inside.example:${provider.port}/` })
    const refused = await broker.call({ ...inside, allowed: { ...inside.allowed, allowPrivate: [] } })
    expect(refused).toMatchObject({ kind: 'refused', reason: expect.stringContaining('127.0.0.1') })
    expect(provider.received).toEqual([])
  })

  test('says of a name that does not exist that it was not resolved', async () => {
    expect(await broker.call(call({ url: 'https://nowhere.example/' }))).toMatchObject({ kind: 'unresolved' })
  })

  test('checks every hop of a redirect, name and address', async () => {
    names.answer('a.example', ['127.0.0.1'])
    names.answer('b.example', ['127.0.0.1'])
    names.answer('c.example', ['10.9.9.9'])
    const at = (host: string) => `${host}:${provider.port}`
    const allowed = { hosts: [at('a.example'), at('b.example'), at('c.example')], allowPrivate: ['127.0.0.1/32'] }
    provider.on('/start', answers(302, {}, { location: `http://${at('b.example')}/next` }))
    const credentials = { headers: { 'x-api-key': 'secret-of-a' }, query: { key: 'secret-of-a' }, tls: null }
    const followed = await broker.call(call({ url: `http://${at('a.example')}/start`, allowed, credentials }))
    expect(followed).toMatchObject({ kind: 'answered', status: 200 })
    expect(provider.received[0]).toMatchObject({ path: '/start?key=secret-of-a' })
    expect(provider.received[0]!.headers['x-api-key']).toBe('secret-of-a')
    expect(JSON.stringify(provider.received[1]), 'another origin gets no credential').not.toContain('secret-of-a')
    provider.on('/next', answers(307, {}, { location: `http://${at('c.example')}/inside` }))
    expect(await broker.call(call({ url: `http://${at('a.example')}/start`, allowed }))).toMatchObject({
      kind: 'refused',
      reason: expect.stringContaining('10.9.9.9'),
    })
  })

  test.each([
    { what: 'an effect without a token', overrides: { class: 'effect', method: 'POST' } },
    { what: 'a write that says it is a read', overrides: { class: 'read', method: 'POST' } },
    { what: 'a DELETE that says it is a read', overrides: { class: 'read', method: 'DELETE', vouched: true } },
    { what: 'a PUT to a model', overrides: { class: 'model', method: 'PUT' } },
    { what: 'a GET as a delivery', overrides: { class: 'delivery', method: 'GET' } },
    {
      what: 'a read that brings a token',
      overrides: {
        token: { actionId: 'a', attempt: 1, method: 'GET', target: 'x', bodyDigest: digestBytes(''), deadlineMs: 1e12 },
      },
    },
  ])('refuses $what', async ({ overrides }) => {
    const refused = await broker.call(call({ url: provider.url, ...(overrides as Partial<EgressCall>) }))
    expect(refused).toMatchObject({ kind: 'refused' })
    expect(provider.received).toEqual([])
  })

  test('takes no notice of the proxies that the environment names', async () => {
    const before = { ...process.env }
    const nobody = 'http://127.0.0.1:1'
    Object.assign(process.env, {
      http_proxy: nobody,
      HTTP_PROXY: nobody,
      https_proxy: nobody,
      ALL_PROXY: nobody,
      NODE_USE_ENV_PROXY: '1',
    })
    try {
      expect(await broker.call(call({ url: provider.url }))).toMatchObject({ kind: 'answered' })
    } finally {
      for (const name of Object.keys(process.env)) if (!(name in before)) delete process.env[name]
    }
  })

  test('a header that would break the request is refused before anything is written', async () => {
    const answer = await broker.call(call({ url: provider.url, headers: { 'x-a': 'b\r\nx-injected: 1' } }))
    expect(answer).toMatchObject({ kind: 'unwritten' })
    expect(provider.received).toEqual([])
  })
})

describe('the tick that writes', () => {
  const request = (overrides: Partial<WireRequest>): WireRequest => ({
    method: 'POST',
    headers: {},
    body: Buffer.from('{}'),
    tls: null,
    responseBytesMax: 1000,
    deadlineMs: performance.now() + 10_000,
    signal: null,
    sharedBy: null,
    mayWrite: () => null,
    ...overrides,
  })

  /** A clock that jumps past the deadline once the connection was asked for: what a paused machine looks like. */
  const late = (): WireRequest => {
    let looks = 0
    return Object.defineProperty(request({}), 'deadlineMs', {
      get: () => performance.now() + (looks++ < 2 ? 10_000 : -1),
    })
  }

  test.each([
    { what: 'the token is refused', wire: () => request({ mayWrite: () => 'not now' }), reason: 'not now' },
    { what: 'the deadline passed while connecting', wire: late, reason: 'too late to be sent' },
  ])('writes nothing when $what', async ({ wire, reason }) => {
    const provider = await startProvider()
    try {
      const destination = { url: new URL(provider.url), addresses: [{ address: '127.0.0.1', family: 4 as const }] }
      expect(await sendOnce(destination, wire(), new KeptConnections())).toEqual({ kind: 'unwritten', reason })
      expect(provider.received).toEqual([])
    } finally {
      await provider.close()
    }
  })
})

describe('Retry-After', () => {
  test.each([
    { text: '120', ms: 120_000 },
    { text: ' 0 ', ms: 0 },
    { text: 'Wed, 21 Oct 2026 07:28:00 GMT', ms: 60_000 },
    { text: 'Wed, 21 Oct 2020 07:28:00 GMT', ms: 0 },
    { text: 'soon', ms: null },
    { text: '-5', ms: null },
    { text: '1e9', ms: null },
    { text: undefined, ms: null },
  ])('`$text` is $ms ms', ({ text, ms }) => {
    expect(retryAfterMs(text, Date.parse('2026-10-21T07:27:00Z'))).toBe(ms)
  })
})

function dotted(address: number): string {
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join('.')
}
function decimal(address: number): string {
  return String(address)
}
function hexadecimal(address: number): string {
  return `0x${address.toString(16)}`
}
function octal(address: number): string {
  return `0${address.toString(8)}`
}
function mixed(address: number): string {
  return `0x${(address >>> 24).toString(16)}.${address & 0xff_ffff}`
}
