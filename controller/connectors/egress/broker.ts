import { digestBytes } from '../../domain/digest.ts'
import type { TenantId } from '../../domain/ids.ts'
import type { EffectToken } from '../../executor/effects/connector.ts'
import type { Database } from '../../store/connect.ts'
import {
  type AllowList,
  type Destination,
  type Refusal,
  type Resolver,
  settleDestination,
  systemResolver,
} from './destination.ts'
import { KeptConnections } from './kept-connections.ts'
import { RateGates, retryAfterMs } from './rate-gates.ts'
import { type Connections, type Headers, sendOnce, type TlsIdentity, type WireAnswer } from './send.ts'
import { SpentTokens } from './tokens.ts'

/** What a call is for. Each class has its methods; where it may go comes with the call, from applied configuration. */
export type EgressClass = 'effect' | 'read' | 'model' | 'auth' | 'delivery' | 'git'

/** What proves who we are. It is sent to the origin it is for, and never along with a redirect to another. */
export interface Credentials {
  readonly headers: Headers
  readonly query: { readonly [name: string]: string }
  readonly tls: TlsIdentity | null
}

export interface EgressCall {
  readonly class: EgressClass
  readonly tenantId: TenantId
  readonly allowed: AllowList
  readonly method: string
  /** Without credentials: this is what the token of an intent was minted for. */
  readonly url: string
  readonly headers: Headers
  readonly body: Buffer | null
  readonly credentials: Credentials | null
  /** On the monotonic clock (`performance.now()`). */
  readonly deadlineMs: number
  readonly responseBytesMax: number
  readonly signal: AbortSignal | null
  /** Of a committed intent. `effect` does not leave without one; no other class takes one. */
  readonly token: EffectToken | null
  /** A `_platform` Connector declares this POST a read, and a person vouches for it. */
  readonly vouched?: boolean
  /** A message of the MCP protocol itself, which no proposer has a word in: opening a session, listing tools, ending it. */
  readonly protocol?: boolean
  /**
   * An effect that is never sent again: it takes a connection of its own, since one that the host closes at the moment it
   * is written to would leave a doubt that only a person can settle.
   */
  readonly alone?: boolean
  /** See `WireRequest.isEnough`. */
  readonly isEnough?: (chunk: Buffer, headers: Headers) => boolean
}

export type EgressAnswer =
  | WireAnswer
  | Refusal
  /** The host asked to be left alone. */
  | { readonly kind: 'gated'; readonly retryAfterMs: number }

/** One call as it is counted: what it was for, whose it was and what became of it; never where it went. */
export interface CountedCall {
  readonly class: EgressClass
  readonly tenantId: TenantId
  /** `2xx` and so on of a whole answer, else the answer's kind. */
  readonly outcome: string
  readonly seconds: number
}

export const noCredentials: Credentials = { headers: {}, query: {}, tls: null }

const methods: { readonly [name in EgressClass]: readonly string[] } = {
  effect: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
  read: ['GET', 'HEAD'],
  model: ['POST'],
  auth: ['GET', 'POST'],
  delivery: ['POST'],
  git: ['GET', 'POST'],
}
/** Many and short; the others are few, or long. */
const sharing: ReadonlySet<EgressClass> = new Set(['effect', 'read'])
const redirectsMax = 3
const redirecting = new Set([301, 302, 303, 307, 308])

/** The only way out of this process. Proxy variables of the environment mean nothing to it. */
export class EgressBroker {
  readonly #gates: RateGates
  readonly #resolve: Resolver
  readonly #connections: Connections = new KeptConnections()
  /** What lets writes out, here and wherever else a connector writes. */
  readonly tokens = new SpentTokens()

  constructor(database: Database, resolve: Resolver = systemResolver) {
    this.#gates = new RateGates(database)
    this.#resolve = resolve
  }

  readonly #listeners = new Set<(call: CountedCall) => void>()

  /** Has every call of this process counted from now on. */
  observe(listener: (call: CountedCall) => void): void {
    this.#listeners.add(listener)
  }

  /** Carries one call. Never throws for anything that a host does. */
  async call(call: EgressCall): Promise<EgressAnswer> {
    const startedMs = performance.now()
    const answer = await this.#carry(call)
    const outcome = answer.kind === 'answered' ? `${Math.floor(answer.status / 100)}xx` : answer.kind
    const counted = {
      class: call.class,
      tenantId: call.tenantId,
      outcome,
      seconds: (performance.now() - startedMs) / 1000,
    }
    for (const listener of this.#listeners) listener(counted)
    return answer
  }

  async #carry(call: EgressCall): Promise<EgressAnswer> {
    const problem = whyRefused(call)
    if (problem !== null) return { kind: 'refused', reason: problem }
    let hop = { url: call.url, credentials: call.credentials }
    for (let redirects = 0; ; redirects++) {
      const destination = await settleDestination(hop.url, call.allowed, this.#resolve)
      if ('kind' in destination) return destination
      const { host } = destination.url
      const remainingMs = await this.#gates.remainingMs(call.tenantId, host)
      if (remainingMs > 0) return { kind: 'gated', retryAfterMs: remainingMs }
      const answer = await this.#send(call, destination, hop.credentials)
      if (answer.kind !== 'answered') return answer
      await this.#heed(call.tenantId, host, answer)
      const next = redirects < redirectsMax ? redirectOf(call, destination, answer) : null
      if (next === null) return answer
      if (next.kind === 'refused') return next
      hop = { url: next.url, credentials: next.sameOrigin ? hop.credentials : null }
    }
  }

  #send(call: EgressCall, destination: Destination, credentials: Credentials | null): Promise<WireAnswer> {
    const url = new URL(destination.url)
    const own = credentials ?? noCredentials
    for (const [name, value] of Object.entries(own.query)) url.searchParams.append(name, value)
    const contentLength: Headers = call.body === null ? {} : { 'content-length': String(call.body.length) }
    return sendOnce(
      { url, addresses: destination.addresses },
      {
        method: call.method,
        headers: {
          'user-agent': 'fibric',
          'accept-encoding': 'identity',
          ...call.headers,
          ...own.headers,
          ...contentLength,
        },
        body: call.body,
        tls: own.tls,
        responseBytesMax: call.responseBytesMax,
        deadlineMs: call.token === null ? call.deadlineMs : Math.min(call.deadlineMs, call.token.deadlineMs),
        signal: call.signal,
        mayWrite: () => (call.token === null ? null : this.tokens.spend(call.token)),
        sharedBy: sharing.has(call.class) && call.alone !== true ? `${call.tenantId}\n${call.class}` : null,
        isEnough: call.isEnough,
      },
      this.#connections,
    )
  }

  async #heed(tenantId: TenantId, host: string, { status, headers }: WireAnswer & { kind: 'answered' }): Promise<void> {
    if (status !== 429 && status !== 503 && status !== 425) return
    const waitMs = retryAfterMs(headers['retry-after'], Date.now())
    if (waitMs === null || waitMs <= 0) return
    // What the host answered is known by now, and must not be lost over a gate that could not be written.
    await this.#gates.close(tenantId, host, waitMs).catch(() => {}) // the answer counts more
  }
}

/** The method, host, path, query and body that a token must name, as it names them. */
export function tokenTarget(url: string): string | null {
  const parsed = URL.parse(url)
  return parsed && `${parsed.host}${parsed.pathname}${parsed.search}`
}

/** What keeps every write in that has no intent. */
export const needsToken = 'an effect needs the token of a committed intent'

/** Why a call may not leave whatever its destination says; null where that alone does not keep it in. */
export function whyRefused(
  call: Pick<EgressCall, 'class' | 'method' | 'url' | 'body' | 'token' | 'vouched' | 'protocol'>,
): string | null {
  const { class: kind, method, token, body } = call
  if (!isAllowed(call)) return `a ${method} is nothing that class \`${kind}\` carries`
  if (kind !== 'effect') return token === null ? null : `class \`${kind}\` takes no token`
  if (token === null) return needsToken
  if (token.method !== method) return 'the token is for another method'
  if (token.target !== tokenTarget(call.url)) return 'the token is for another host or path'
  if (token.bodyDigest !== digestBytes(body ?? '')) return 'the token is for another body'
  return null
}

function isAllowed({ class: kind, method, vouched, protocol }: Parameters<typeof whyRefused>[0]): boolean {
  if (methods[kind].includes(method)) return true
  if (kind !== 'read') return false
  return (method === 'POST' && (vouched === true || protocol === true)) || (method === 'DELETE' && protocol === true)
}

type Redirect =
  | { readonly kind: 'follow'; readonly url: string; readonly sameOrigin: boolean }
  | { readonly kind: 'refused'; readonly reason: string }

/** Where an answer sends us on to; null when it does not, or when this call follows nobody. */
function redirectOf(
  call: EgressCall,
  { url }: Destination,
  { status, headers }: WireAnswer & { kind: 'answered' },
): Redirect | null {
  if (call.class === 'effect' || (call.method !== 'GET' && call.method !== 'HEAD')) return null
  if (!redirecting.has(status) || headers.location === undefined) return null
  const next = URL.parse(headers.location, url.href)
  if (next === null) return { kind: 'refused', reason: 'it redirects to what is no URL' }
  if (url.protocol === 'https:' && next.protocol !== 'https:') {
    return { kind: 'refused', reason: 'it redirects from https to http' }
  }
  next.hash = ''
  return { kind: 'follow', url: next.href, sameOrigin: next.origin === url.origin }
}
