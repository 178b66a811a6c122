import { createHmac, randomBytes } from 'node:crypto'
import { Webhook } from 'standardwebhooks'
import { describe, expect, test } from 'vitest'
import { isVerified, type Verification } from '../../controller/ingest/verify.ts'

const now = new Date('2026-03-02T09:00:00Z')
const seconds = now.getTime() / 1000
const secret = 'a secret of the sender'
const standardSecret = `whsec_${randomBytes(24).toString('base64')}`
const body = Buffer.from('{"order": 7}')

interface Case {
  readonly verification: Verification
  readonly secret: string
  /** The headers a sender makes at `at` for `bytes`. */
  sign(secret: string, bytes: Buffer, at: number): { [name: string]: string }
  readonly timed: boolean
}

const mac = (key: string, ...parts: (string | Buffer)[]) => {
  const hash = createHmac('sha256', key)
  for (const part of parts) hash.update(part)
  return hash
}

const cases: { readonly [name: string]: Case } = {
  'hmac-sha256 in base64': {
    verification: { scheme: 'hmac-sha256', header: 'X-Shopify-Hmac-Sha256', encoding: 'base64' },
    secret,
    sign: (key, bytes) => ({ 'x-shopify-hmac-sha256': mac(key, bytes).digest('base64') }),
    timed: false,
  },
  'hmac-sha256 in hex': {
    verification: { scheme: 'hmac-sha256', header: 'X-Signature', encoding: 'hex' },
    secret,
    sign: (key, bytes) => ({ 'x-signature': mac(key, bytes).digest('hex') }),
    timed: false,
  },
  github: {
    verification: { scheme: 'github' },
    secret,
    sign: (key, bytes) => ({ 'x-hub-signature-256': `sha256=${mac(key, bytes).digest('hex')}` }),
    timed: false,
  },
  'standard-webhooks': {
    verification: { scheme: 'standard-webhooks' },
    secret: standardSecret,
    sign: (key, bytes, at) => ({
      'webhook-id': 'msg_1',
      'webhook-timestamp': String(at),
      'webhook-signature': `v1a,xx ${new Webhook(key).sign('msg_1', new Date(at * 1000), bytes)}`,
    }),
    timed: true,
  },
  stripe: {
    verification: { scheme: 'stripe' },
    secret,
    sign: (key, bytes, at) => ({
      'stripe-signature': `t=${at},v1=${'0'.repeat(64)},v1=${mac(key, `${at}.`, bytes).digest('hex')},v0=x`,
    }),
    timed: true,
  },
  slack: {
    verification: { scheme: 'slack' },
    secret,
    sign: (key, bytes, at) => ({
      'x-slack-request-timestamp': String(at),
      'x-slack-signature': `v0=${mac(key, `v0:${at}:`, bytes).digest('hex')}`,
    }),
    timed: true,
  },
}

describe.each(Object.entries(cases))('%s', (_name, { verification, secret: own, sign, timed }) => {
  const other = own.startsWith('whsec_') ? `whsec_${Buffer.alloc(24, 7).toString('base64')}` : 'another secret'
  const check = (headers: { [name: string]: string }, secrets = [own], bytes = body) =>
    isVerified(
      verification,
      { headers, body: bytes },
      secrets.map((text) => Buffer.from(text)),
      now,
    )

  test('takes what the sender signed, under either of two live secrets', () => {
    expect(check(sign(own, body, seconds))).toBe(true)
    expect(check(sign(own, body, seconds), [other, own])).toBe(true)
    expect(check(sign(own, body, seconds), [own, other])).toBe(true)
  })

  test('refuses another secret, none at all, and no signature', () => {
    expect(check(sign(own, body, seconds), [other])).toBe(false)
    expect(check(sign(own, body, seconds), [])).toBe(false)
    expect(check({})).toBe(false)
  })

  test('refuses a body of which one bit differs', () => {
    for (let at = 0; at < body.length; at++) {
      const changed = Buffer.from(body)
      changed[at]! ^= 1
      expect(check(sign(own, body, seconds), [own], changed)).toBe(false)
    }
  })

  test('refuses headers of which one character differs', () => {
    for (const [name, value] of Object.entries(sign(own, body, seconds))) {
      const at = value.lastIndexOf('=') === value.length - 1 ? value.length - 3 : value.length - 1
      // The last part of this header is of a version that nobody reads.
      if (name === 'stripe-signature') continue
      const changed = value.slice(0, at) + (value[at] === '0' ? '1' : '0') + value.slice(at + 1)
      expect(check({ ...sign(own, body, seconds), [name]: changed })).toBe(false)
    }
  })

  test(timed ? 'refuses what is over five minutes away' : 'knows no time', () => {
    for (const away of [-301, 301]) expect(check(sign(own, body, seconds + away))).toBe(!timed)
    for (const away of [-299, 299]) expect(check(sign(own, body, seconds + away))).toBe(true)
  })
})
