import type { TenantId } from '../../domain/ids.ts'
import type { JsonObject } from '../../domain/json.ts'
import type { Database } from '../../store/connect.ts'
import type { RootKey } from '../../tenancy/root-key.ts'
import { readCredential, type SecretValue } from '../../tenancy/secrets.ts'
import { type Redactor, redactorOf } from '../../tenancy/secrets-redaction.ts'
import { type Credentials, type EgressBroker, noCredentials } from '../egress/broker.ts'
import { type RenderedRequest, render } from '../request.ts'
import type { AwsRoles } from './aws-role.ts'
import { accessToken, rejectToken } from './oauth2.ts'
import { signV4 } from './sigv4.ts'

export interface CredentialWanted {
  readonly tenantId: TenantId
  /** Name in the secret store; null where the Connection names none. */
  readonly name: string | null
  /** The Connector's `auth`. */
  readonly auth: JsonObject
  readonly config: JsonObject
  readonly request: RenderedRequest
  readonly allowPrivate: readonly string[]
  readonly deadlineMs: number
  readonly signal: AbortSignal | null
}

export interface ReadyCredential {
  readonly kind: 'ready'
  readonly credentials: Credentials
  readonly used: { readonly name: string; readonly version: number } | null
  /** Takes everything that was used, and what was made of it, out of what the provider says. */
  readonly redactor: Redactor
  /** To be told when the provider answered 401. */
  readonly rejected: () => Promise<void>
}

export type PreparedCredential =
  | ReadyCredential
  /** `missing`: a value is not set; it may be set later. */
  | { readonly kind: 'missing' | 'failed'; readonly reason: string }

/** The fields of a credential that each kind of authentication needs. */
export const fieldsOfAuth: { readonly [kind: string]: readonly string[] } = {
  none: [],
  api_key: ['value'],
  basic: ['username', 'password'],
  oauth2: ['client_id', 'client_secret'],
  aws_iam: ['role_arn'],
  mtls: ['cert', 'key'],
}

/** What a request needs to be let in. Values leave the secret store here, and go to the broker alone. */
export class CredentialSource {
  readonly #database: Database<RootKey>
  readonly #broker: EgressBroker
  readonly #roles: AwsRoles
  readonly #clock: () => Date

  constructor(database: Database<RootKey>, broker: EgressBroker, roles: AwsRoles, clock: () => Date) {
    this.#database = database
    this.#broker = broker
    this.#roles = roles
    this.#clock = clock
  }

  async prepare(wanted: CredentialWanted): Promise<PreparedCredential> {
    const kind = String(wanted.auth.kind)
    if (kind === 'none') return ready(noCredentials, null, new Map())
    if (wanted.name === null) return { kind: 'missing', reason: 'the Connection names no credential' }
    const fields = await readCredential(this.#database, wanted.tenantId, wanted.name)
    const absent = missingFields(kind, fields)
    if (absent.length > 0) {
      return { kind: 'missing', reason: `the credential \`${wanted.name}\` has no ${absent.join(' and no ')}` }
    }
    const text = (field: string) => fields.get(field)!.value.toString('utf8')
    switch (kind) {
      case 'api_key': {
        const place = { [String(wanted.auth.name)]: text('value') }
        const credentials = wanted.auth.in === 'query' ? { query: place } : { headers: place }
        return ready({ ...noCredentials, ...credentials }, 'value', fields)
      }
      case 'basic': {
        const pair = Buffer.from(`${text('username')}:${text('password')}`).toString('base64')
        return ready({ ...noCredentials, headers: { authorization: `Basic ${pair}` } }, 'password', fields, [pair])
      }
      case 'mtls': {
        const ca = fields.get('ca')?.value.toString('utf8')
        const tls = { cert: text('cert'), key: text('key'), ...(ca === undefined ? {} : { ca }) }
        return ready({ ...noCredentials, tls }, 'key', fields)
      }
      case 'oauth2':
        return this.#bearer(wanted, wanted.name, fields)
      case 'aws_iam':
        return this.#signed(wanted, fields)
      default:
        return { kind: 'failed', reason: `there is no authentication \`${kind}\`` }
    }
  }

  async #bearer(
    wanted: CredentialWanted,
    name: string,
    fields: ReadonlyMap<string, SecretValue>,
  ): Promise<PreparedCredential> {
    const { auth, config, request, allowPrivate } = wanted
    const tokenUrl =
      typeof auth.tokenUrl === 'string'
        ? String(render(auth.tokenUrl, { config }, 'host', 'auth.tokenUrl'))
        : new URL('/oauth/token', request.url).href
    const scopes = Array.isArray(auth.scopes) ? auth.scopes.map(String) : []
    const hosts = [URL.parse(tokenUrl)?.host ?? '']
    const { tenantId, deadlineMs, signal } = wanted
    const asked = {
      tenantId,
      name,
      fields,
      tokenUrl,
      scopes,
      allowed: { hosts, allowPrivate },
      deadlineMs,
      signal,
      now: this.#clock,
    }
    const token = await accessToken(this.#database, this.#broker, asked)
    if (token.kind === 'failed') return { kind: token.terminal ? 'failed' : 'missing', reason: token.reason }
    const credentials = { ...noCredentials, headers: { authorization: `Bearer ${token.accessToken}` } }
    const field = fields.has('refresh_token') ? 'refresh_token' : 'client_secret'
    // The provider's answer counts: it must not be lost over a note that could not be written.
    const rejected = () => rejectToken(this.#database, asked, token.version).catch(() => {}) // it will be told again
    return { ...ready(credentials, field, fields, [token.accessToken]), rejected }
  }

  async #signed(wanted: CredentialWanted, fields: ReadonlyMap<string, SecretValue>): Promise<PreparedCredential> {
    const { auth, config, request, tenantId, allowPrivate, deadlineMs, signal } = wanted
    const url = new URL(request.url)
    const [label = '', second = ''] = url.hostname.endsWith('.amazonaws.com') ? url.hostname.split('.') : []
    const service = typeof auth.service === 'string' ? auth.service : label
    const region = auth.region === undefined ? second : String(render(auth.region, { config }, 'host', 'auth.region'))
    if (service === '' || region === '' || region === 'amazonaws') {
      return { kind: 'failed', reason: 'the Connector names no AWS service and region (auth.service, auth.region)' }
    }
    const roleArn = fields.get('role_arn')!.value.toString('utf8')
    const externalId = fields.get('external_id')?.value.toString('utf8') ?? null
    const role = await this.#roles.assume({ tenantId, roleArn, externalId, region, allowPrivate, deadlineMs, signal })
    if (role.kind === 'failed') return { kind: 'missing', reason: role.reason }
    const { method, headers, body } = request
    const signed = signV4({ method, url, headers, body }, role.credentials, { service, region, now: new Date() })
    const { secretAccessKey, sessionToken } = role.credentials
    const derived = [secretAccessKey, ...(sessionToken === null ? [] : [sessionToken])]
    return ready({ ...noCredentials, headers: signed }, 'role_arn', fields, derived)
  }
}

/** The fields a kind of authentication needs and a credential has not. */
export function missingFields(kind: string, fields: ReadonlyMap<string, unknown>): string[] {
  return (fieldsOfAuth[kind] ?? []).filter((field) => !fields.has(field)).map((field) => `\`${field}\``)
}

function ready(
  credentials: Credentials,
  field: string | null,
  fields: ReadonlyMap<string, SecretValue>,
  derived: readonly string[] = [],
): ReadyCredential {
  const value = field === null ? undefined : fields.get(field)
  return {
    kind: 'ready',
    credentials,
    used: value ? { name: value.name, version: value.version } : null,
    redactor: redactorOf(fields.values(), derived),
    rejected: () => Promise.resolve(),
  }
}
