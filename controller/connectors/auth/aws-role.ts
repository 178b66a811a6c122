import type { TenantId } from '../../domain/ids.ts'
import type { EgressBroker } from '../egress/broker.ts'
import { type AwsCredentials, signV4 } from './sigv4.ts'

/** The deployment's own identity at AWS, which tenants' roles trust. */
export interface AwsIdentity {
  readonly credentials: AwsCredentials
  /** Where roles are assumed; null: `https://sts.<region>.amazonaws.com/`. */
  readonly stsUrl: string | null
}

/** As the AWS tools read it from the environment; null where none is set. */
export function awsIdentityOf(environment: NodeJS.ProcessEnv): AwsIdentity | null {
  const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_ENDPOINT_URL_STS } = environment
  if (!AWS_ACCESS_KEY_ID || !AWS_SECRET_ACCESS_KEY) return null
  return {
    credentials: {
      accessKeyId: AWS_ACCESS_KEY_ID,
      secretAccessKey: AWS_SECRET_ACCESS_KEY,
      sessionToken: AWS_SESSION_TOKEN || null,
    },
    stsUrl: AWS_ENDPOINT_URL_STS || null,
  }
}

export interface RoleWanted {
  readonly tenantId: TenantId
  readonly roleArn: string
  readonly externalId: string | null
  readonly region: string
  readonly allowPrivate: readonly string[]
  readonly deadlineMs: number
  readonly signal: AbortSignal | null
}

export type AssumedRole =
  | { readonly kind: 'assumed'; readonly credentials: AwsCredentials }
  | { readonly kind: 'failed'; readonly reason: string }

/** Session credentials of a role, kept in memory until shortly before they expire: they are one process's own. */
export class AwsRoles {
  readonly #broker: EgressBroker
  readonly #identity: AwsIdentity | null
  readonly #held = new Map<string, { readonly credentials: AwsCredentials; readonly goodUntilMs: number }>()

  constructor(broker: EgressBroker, identity: AwsIdentity | null) {
    this.#broker = broker
    this.#identity = identity
  }

  async assume(wanted: RoleWanted): Promise<AssumedRole> {
    if (this.#identity === null)
      return { kind: 'failed', reason: 'the deployment has no AWS identity (AWS_ACCESS_KEY_ID)' }
    const key = JSON.stringify([wanted.tenantId, wanted.roleArn, wanted.externalId, wanted.region])
    const held = this.#held.get(key)
    if (held && held.goodUntilMs > Date.now()) return { kind: 'assumed', credentials: held.credentials }
    this.#held.delete(key)
    const assumed = await this.#ask(wanted, this.#identity)
    if (assumed.kind === 'failed') return assumed
    if (this.#held.size >= rolesMax) this.#held.delete(this.#held.keys().next().value as string)
    this.#held.set(key, {
      credentials: assumed.credentials,
      goodUntilMs: Date.now() + sessionSeconds * 1000 - marginMs,
    })
    return assumed
  }

  async #ask(wanted: RoleWanted, identity: AwsIdentity): Promise<AssumedRole> {
    const url = new URL(identity.stsUrl ?? `https://sts.${wanted.region}.amazonaws.com/`)
    const form = new URLSearchParams({
      Action: 'AssumeRole',
      Version: '2011-06-15',
      RoleArn: wanted.roleArn,
      RoleSessionName: `fibric-${wanted.tenantId}`.slice(0, 64),
      DurationSeconds: String(sessionSeconds),
      ...(wanted.externalId === null ? {} : { ExternalId: wanted.externalId }),
    })
    const body = Buffer.from(form.toString())
    const headers = { accept: 'application/json', 'content-type': 'application/x-www-form-urlencoded; charset=utf-8' }
    const scope = { service: 'sts', region: wanted.region, now: new Date() }
    const signed = signV4({ method: 'POST', url, headers, body }, identity.credentials, scope)
    const answer = await this.#broker.call({
      class: 'auth',
      tenantId: wanted.tenantId,
      allowed: { hosts: [url.host], allowPrivate: wanted.allowPrivate },
      method: 'POST',
      url: url.href,
      headers,
      body,
      credentials: { headers: signed, query: {}, tls: null },
      deadlineMs: wanted.deadlineMs,
      responseBytesMax: 262_144,
      signal: wanted.signal,
      token: null,
    })
    if (answer.kind !== 'answered') return { kind: 'failed', reason: `AWS STS did not answer (${answer.kind})` }
    if (answer.status !== 200) return { kind: 'failed', reason: `AWS STS answered HTTP ${answer.status}` }
    const text = answer.body.toString('utf8')
    const [accessKeyId, secretAccessKey, sessionToken] = ['AccessKeyId', 'SecretAccessKey', 'SessionToken'].map(
      (name) => sessionValue(text, name),
    )
    if (!accessKeyId || !secretAccessKey || !sessionToken) {
      return { kind: 'failed', reason: 'AWS STS answered without credentials' }
    }
    return { kind: 'assumed', credentials: { accessKeyId, secretAccessKey, sessionToken } }
  }
}

const sessionSeconds = 3600
const marginMs = 300_000
const rolesMax = 1000

/** STS answers JSON where it is asked to, and XML else; either way these three stand once, under their names. */
function sessionValue(text: string, name: string): string | null {
  const found = new RegExp(`(?:"${name}"\\s*:\\s*"|<${name}>)\\s*([A-Za-z0-9+/=_-]{8,4096})\\s*["<]`).exec(text)
  return found?.[1] ?? null
}
