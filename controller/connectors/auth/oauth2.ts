import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { digestJson } from '../../domain/digest.ts'
import { FibricError } from '../../domain/errors.ts'
import type { TenantId } from '../../domain/ids.ts'
import { isJsonObject } from '../../domain/json.ts'
import type { Database } from '../../store/connect.ts'
import {
  expireTokenVersion,
  leaseToken,
  readToken,
  releaseTokenLease,
  type TokenPlace,
  type TokenRow,
  writeToken,
} from '../../store/oauth-tokens.ts'
import { lockSecrets } from '../../store/secrets.ts'
import type { RootKey } from '../../tenancy/root-key.ts'
import { readCredential, type SecretValue, writeSecret } from '../../tenancy/secrets.ts'
import {
  ensureTenantKeys,
  openEnvelope,
  openTenantKeys,
  rootKeyOfDatabase,
  sealEnvelope,
} from '../../tenancy/tenant-key.ts'
import { parseBody } from '../answer-body.ts'
import type { EgressBroker } from '../egress/broker.ts'
import type { AllowList } from '../egress/destination.ts'

export interface TokenWanted {
  readonly tenantId: TenantId
  /** Name of the credential. */
  readonly name: string
  readonly fields: ReadonlyMap<string, SecretValue>
  readonly tokenUrl: string
  readonly scopes: readonly string[]
  readonly allowed: AllowList
  readonly deadlineMs: number
  readonly signal: AbortSignal | null
  /** For dating the secret that a rotated refresh token becomes. */
  readonly now: () => Date
}

export type Token =
  | { readonly kind: 'token'; readonly accessToken: string; readonly version: number }
  /** `terminal`: only a new credential helps. */
  | { readonly kind: 'failed'; readonly reason: string; readonly terminal: boolean }

const leaseMs = 30_000
const responseBytesMax = 262_144
/** Refreshed when this much of its life is left, or half of it, plus up to as much again by chance. */
const earlyMs = 60_000

/**
 * An access token that is good for a while yet: the one all replicas share, else a new one. One refresher works at a
 * time, under a lease; the others use what is still good, or wait for it.
 */
export async function accessToken(
  database: Database<RootKey>,
  broker: EgressBroker,
  wanted: TokenWanted,
): Promise<Token> {
  const place = placeOf(wanted)
  let fields = wanted.fields
  for (let round = 0; ; round++) {
    const credential = markOf(fields)
    const held = await openToken(database, place)
    const own = held?.row.credential === credential ? held : null
    if (own?.row.failure) return { kind: 'failed', reason: own.row.failure, terminal: true }
    if (own && own.accessToken !== null && own.row.fresh) return tokenOf(own.accessToken, own.row)
    const holder = randomBytes(12).toString('hex')
    const version = await database.asTenant(place.tenantId, (tx) => leaseToken(tx, place, holder, leaseMs))
    if (version === null) {
      if (own && own.accessToken !== null && (own.row.remaining_ms ?? 0) > 0) return tokenOf(own.accessToken, own.row)
      if (performance.now() >= wanted.deadlineMs)
        return { kind: 'failed', reason: 'another refresher is slow', terminal: false }
      await sleep(100)
      continue
    }
    try {
      // Somebody refreshed between our look and our lease: theirs is the one to use.
      if (version !== (held?.row.version ?? 0)) continue
      const asked = await ask(broker, wanted, fields)
      if (asked.kind === 'refused') {
        const now = await readCredential(database, wanted.tenantId, wanted.name)
        // Somebody may have rotated the credential while we asked with the one before: that refusal says nothing.
        if (markOf(now) !== credential && round < 3) {
          fields = now
          continue
        }
        await keepFailure(database, place, version, credential, asked.reason)
        return { kind: 'failed', reason: asked.reason, terminal: true }
      }
      if (asked.kind === 'failed') return { ...asked, terminal: false }
      fields = await keepRefreshToken(database, wanted, fields, asked.refreshToken)
      const stored = await keepToken(database, place, version, markOf(fields), asked)
      if (stored) return { kind: 'token', accessToken: asked.accessToken, version: version + 1 }
      if (round >= 3) return { kind: 'failed', reason: 'the token moved while it was refreshed', terminal: false }
    } finally {
      await database.asTenant(place.tenantId, (tx) => releaseTokenLease(tx, place, holder))
    }
  }
}

/** A token that the provider answered 401 to is not used again. */
export async function rejectToken(database: Database, wanted: TokenWanted, version: number): Promise<void> {
  const place = placeOf(wanted)
  await database.asTenant(place.tenantId, (tx) => expireTokenVersion(tx, place, version))
}

type Asked =
  | {
      readonly kind: 'granted'
      readonly accessToken: string
      readonly refreshToken: string | null
      readonly lifetimeMs: number
    }
  | { readonly kind: 'refused'; readonly reason: string }
  | { readonly kind: 'failed'; readonly reason: string }

async function ask(
  broker: EgressBroker,
  wanted: TokenWanted,
  fields: ReadonlyMap<string, SecretValue>,
): Promise<Asked> {
  const text = (field: string) => fields.get(field)?.value.toString('utf8')
  const refreshToken = text('refresh_token')
  const form = new URLSearchParams(
    refreshToken === undefined
      ? { grant_type: 'client_credentials' }
      : { grant_type: 'refresh_token', refresh_token: refreshToken },
  )
  if (wanted.scopes.length > 0) form.set('scope', wanted.scopes.join(' '))
  const client = [text('client_id') ?? '', text('client_secret') ?? ''].map(formEncoded).join(':')
  const answer = await broker.call({
    class: 'auth',
    tenantId: wanted.tenantId,
    allowed: wanted.allowed,
    method: 'POST',
    url: wanted.tokenUrl,
    headers: { accept: 'application/json', 'content-type': 'application/x-www-form-urlencoded' },
    body: Buffer.from(form.toString()),
    // RFC 6749, section 2.3.1: the one way every server has to support.
    credentials: {
      headers: { authorization: `Basic ${Buffer.from(client).toString('base64')}` },
      query: {},
      tls: null,
    },
    deadlineMs: wanted.deadlineMs,
    responseBytesMax,
    signal: wanted.signal,
    token: null,
  })
  if (answer.kind === 'gated') return { kind: 'failed', reason: 'the token endpoint asked to be left alone' }
  if (answer.kind !== 'answered')
    return { kind: 'failed', reason: `the token endpoint did not answer (${answer.kind})` }
  const parsed = parseBody(answer.headers, answer.body, true)
  const body = parsed.kind === 'parsed' && isJsonObject(parsed.body) ? parsed.body : {}
  if (answer.status === 200 && typeof body.access_token === 'string' && body.access_token !== '') {
    const seconds = Number(body.expires_in ?? 300)
    return {
      kind: 'granted',
      accessToken: body.access_token,
      refreshToken:
        typeof body.refresh_token === 'string' && body.refresh_token !== refreshToken ? body.refresh_token : null,
      lifetimeMs: (Number.isFinite(seconds) && seconds > 0 ? Math.min(seconds, 86_400 * 30) : 300) * 1000,
    }
  }
  // Of what the server wrote only its code is repeated, and only one that the specification knows.
  const code = refusals.find((known) => known === body.error)
  if (code !== undefined) return { kind: 'refused', reason: `the token endpoint refused the credential: ${code}` }
  return { kind: 'failed', reason: `the token endpoint answered HTTP ${answer.status} without a token` }
}

const refusals = [
  'invalid_grant',
  'invalid_client',
  'unauthorized_client',
  'unsupported_grant_type',
  'invalid_scope',
] as const

/** A refresh token that the server replaced becomes the next version of the field; whoever wrote one meanwhile wins. */
async function keepRefreshToken(
  database: Database<RootKey>,
  wanted: TokenWanted,
  fields: ReadonlyMap<string, SecretValue>,
  refreshToken: string | null,
): Promise<ReadonlyMap<string, SecretValue>> {
  const before = fields.get('refresh_token')
  if (refreshToken === null || before === undefined) return fields
  const place = { tenantId: wanted.tenantId, name: wanted.name, field: 'refresh_token' }
  const value = Buffer.from(refreshToken)
  const change = { person: 'oauth2', now: wanted.now(), keepPreviousMs: 0, expectVersion: before.version }
  try {
    const version = await writeSecret(database, place, value, change)
    return new Map([...fields, ['refresh_token', { ...before, version, value }]])
  } catch (error) {
    if (error instanceof FibricError && error.code === 'STATE_CONFLICT') return fields
    throw error
  }
}

async function keepToken(
  database: Database<RootKey>,
  place: TokenPlace,
  version: number,
  credential: string,
  granted: Asked & { kind: 'granted' },
): Promise<boolean> {
  const rootKey = rootKeyOfDatabase(database)
  return database.asTenant(place.tenantId, async (tx) => {
    await lockSecrets(tx, place.tenantId)
    const keys = await ensureTenantKeys(tx, rootKey, place.tenantId, new Date().toISOString())
    const envelope = sealEnvelope(keys, Buffer.from(granted.accessToken), contextOf(place, version + 1))
    const { lifetimeMs } = granted
    const times = { lifetimeMs, refreshInMs: refreshInMs(lifetimeMs) }
    return writeToken(tx, place, version, { ...envelope, credential, failure: null, ...times })
  })
}

async function keepFailure(
  database: Database,
  place: TokenPlace,
  version: number,
  credential: string,
  failure: string,
): Promise<void> {
  const none = { tenantKeyId: null, wrappedKey: null, sealed: null }
  await database.asTenant(place.tenantId, (tx) =>
    writeToken(tx, place, version, { ...none, credential, failure, lifetimeMs: 0, refreshInMs: 0 }),
  )
}

async function openToken(
  database: Database<RootKey>,
  place: TokenPlace,
): Promise<{ readonly row: TokenRow; readonly accessToken: string | null } | null> {
  const rootKey = rootKeyOfDatabase(database)
  return database.asTenant(
    place.tenantId,
    async (tx) => {
      const [keys, row] = await Promise.all([openTenantKeys(tx, rootKey, place.tenantId), readToken(tx, place)])
      if (row === null) return null
      const { tenant_key_id: tenantKeyId, wrapped_key: wrappedKey, sealed } = row
      if (keys === null || tenantKeyId === null || wrappedKey === null || sealed === null)
        return { row, accessToken: null }
      const envelope = { tenantKeyId, wrappedKey, sealed }
      return { row, accessToken: openEnvelope(keys, envelope, contextOf(place, row.version)).toString('utf8') }
    },
    { access: 'read only', isolation: 'repeatable read' },
  )
}

function tokenOf(token: string, row: TokenRow): Token {
  return { kind: 'token', accessToken: token, version: row.version }
}

function refreshInMs(lifetimeMs: number): number {
  return lifetimeMs - Math.min(earlyMs, lifetimeMs / 4) * (1 + Math.random())
}

/** The versions of what a token is made from: one that moves makes a new token, and ends an old refusal. */
function markOf(fields: ReadonlyMap<string, SecretValue>): string {
  return ['client_id', 'client_secret', 'refresh_token'].map((field) => fields.get(field)?.version ?? 0).join('.')
}

function placeOf(wanted: TokenWanted): TokenPlace {
  const audience = digestJson({ url: wanted.tokenUrl, scopes: [...wanted.scopes].sort() })
  return { tenantId: wanted.tenantId, name: wanted.name, audience }
}

function contextOf(place: TokenPlace, version: number): readonly (string | number)[] {
  return ['oauth-token', place.tenantId, place.name, place.audience, version]
}

function formEncoded(text: string): string {
  return new URLSearchParams([['', text]]).toString().slice(1)
}
