import { createHmac, timingSafeEqual } from 'node:crypto'
import { Webhook } from 'standardwebhooks'

/** A request as it came over the wire: headers in lower case, the body untouched. */
export interface RawRequest {
  readonly headers: { readonly [name: string]: string | undefined }
  readonly body: Buffer
}

/** How a webhook is shown to be the provider's: `verify` of a Connector's event. */
export interface Verification {
  readonly scheme: 'hmac-sha256' | 'standard-webhooks' | 'github' | 'stripe' | 'slack'
  readonly header?: string
  readonly encoding?: 'base64' | 'hex'
}

const toleranceMs = 5 * 60 * 1000

/**
 * Whether the raw bytes carry a signature under one of the live secrets, made within five minutes of now where the scheme
 * says when. Nothing has been parsed by then. Every secret is tried, whatever the first one says.
 */
export function isVerified(
  verification: Verification,
  request: RawRequest,
  secrets: readonly Uint8Array[],
  now: Date,
): boolean {
  const claim = schemes[verification.scheme](request, verification)
  if (claim === null) return false
  if (claim.seconds !== null && Math.abs(now.getTime() - claim.seconds * 1000) > toleranceMs) return false
  let verified = false
  for (const secret of secrets) {
    const expected = claim.expected(Buffer.from(secret))
    for (const signature of claim.signatures) if (expected !== null && isSame(signature, expected)) verified = true
  }
  return verified
}

/** The sender's name for this delivery where the signature covers it, else null. */
export function signedId(verification: Verification, request: RawRequest): string | null {
  return verification.scheme === 'standard-webhooks' ? (request.headers['webhook-id'] ?? null) : null
}

/** What a request claims: its signatures, when they were made, and what they ought to be under a secret. */
interface Claim {
  readonly signatures: readonly Buffer[]
  /** Unix time; null where the signature covers the body alone. */
  readonly seconds: number | null
  expected(secret: Buffer): Buffer | null
}

type Scheme = (request: RawRequest, verification: Verification) => Claim | null

const schemes: { readonly [scheme in Verification['scheme']]: Scheme } = {
  'hmac-sha256': ({ headers, body }, { header, encoding }) => {
    const written = headers[(header ?? '').toLowerCase()]?.trim()
    const signature = encoding === 'base64' ? fromBase64(written) : fromHex(written?.replace(/^sha256=/, ''))
    return signature && { signatures: [signature], seconds: null, expected: (secret) => hmac(secret, body) }
  },
  github: ({ headers, body }) => {
    const written = headers['x-hub-signature-256']
    const signature = written?.startsWith('sha256=') ? fromHex(written.slice(7)) : null
    return signature && { signatures: [signature], seconds: null, expected: (secret) => hmac(secret, body) }
  },
  'standard-webhooks': ({ headers, body }) => {
    const id = headers['webhook-id']
    const seconds = unixTime(headers['webhook-timestamp'])
    const signatures = (headers['webhook-signature'] ?? '')
      .split(' ')
      .flatMap((part) => (part.startsWith('v1,') ? (fromBase64(part.slice(3)) ?? []) : []))
    if (!id || seconds === null || signatures.length === 0) return null
    return { signatures, seconds, expected: (secret) => standardSignature(secret, id, seconds, body) }
  },
  stripe: ({ headers, body }) => {
    const parts = (headers['stripe-signature'] ?? '').split(',').map((part) => part.trim().split('='))
    const written = parts.find(([name]) => name === 't')?.[1]
    const seconds = unixTime(written)
    const signatures = parts.flatMap(([name, value]) => (name === 'v1' ? (fromHex(value) ?? []) : []))
    if (seconds === null || signatures.length === 0) return null
    return { signatures, seconds, expected: (secret) => hmac(secret, `${written}.`, body) }
  },
  slack: ({ headers, body }) => {
    const written = headers['x-slack-request-timestamp']
    const seconds = unixTime(written)
    const signature = headers['x-slack-signature']?.startsWith('v0=')
      ? fromHex(headers['x-slack-signature'].slice(3))
      : null
    if (seconds === null || signature === null) return null
    return { signatures: [signature], seconds, expected: (secret) => hmac(secret, `v0:${written}:`, body) }
  },
}

function standardSignature(secret: Buffer, id: string, seconds: number, body: Buffer): Buffer | null {
  try {
    const [, signature] = new Webhook(secret.toString('utf8')).sign(id, new Date(seconds * 1000), body).split(',')
    return fromBase64(signature)
  } catch {
    return null // a secret that is not of this scheme signs nothing
  }
}

function hmac(secret: Buffer, ...parts: readonly (string | Buffer)[]): Buffer {
  const mac = createHmac('sha256', secret)
  for (const part of parts) mac.update(part)
  return mac.digest()
}

function isSame(a: Buffer, b: Buffer): boolean {
  return a.length === b.length && timingSafeEqual(a, b)
}

function fromHex(text: string | undefined): Buffer | null {
  return text !== undefined && /^[0-9a-fA-F]{64}$/.test(text) ? Buffer.from(text, 'hex') : null
}

function fromBase64(text: string | undefined): Buffer | null {
  return text !== undefined && /^[A-Za-z0-9+/]{43}=$/.test(text) ? Buffer.from(text, 'base64') : null
}

function unixTime(text: string | undefined): number | null {
  return text !== undefined && /^\d{1,12}$/.test(text) ? Number(text) : null
}
