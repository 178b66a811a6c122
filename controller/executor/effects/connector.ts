import type { Address, Digest, TenantId } from '../../domain/ids.ts'
import type { Json, JsonObject } from '../../domain/json.ts'

/**
 * How the executor reaches the outside. It decides what may happen; an `EffectConnector` knows how it is done: it finds
 * the binding of a capability, renders the request, injects the credential and makes the call. What it answers about a
 * first attempt is the table of governed-execution.md 5; what that means for the action is the executor's business.
 */
export interface EffectConnector {
  /**
   * The tool that offers a capability in a tenant, from receipted content. `connection` narrows to one Connection by name.
   * `pinned` asks for the content of an earlier attempt: a re-send uses the connector version of the first one.
   */
  resolve(tenant: TenantId, capability: string, connection?: string | null, pinned?: Pinned | null): Promise<Binding>
  /** What the executor has to know before it may act; a problem when the arguments do not fit the tool's input schema. */
  plan(bound: Bound, args: Json): PlannedEffect | { readonly problem: string }
  /** Makes one attempt. Never throws for anything a provider does. */
  attempt(bound: Bound, args: Json, options: AttemptOptions): Promise<AttemptResult>
  /** The request that an attempt would make, its credential left out. It is built, held against what it may reach, and kept. */
  rehearse(bound: Bound, args: Json, options: Pick<AttemptOptions, 'idempotencyKey' | 'ifMatch'>): Rehearsal
  /** Calls a tool of tier 0 with the read credential. Never throws for anything a provider does. */
  read(bound: Bound, args: Json, signal: AbortSignal): Promise<ReadResult>
}

export type Binding = Bound | { readonly kind: 'unbound'; readonly reason: string }

export interface Pinned {
  readonly connectorDigest: Digest
  readonly connectionDigest: Digest
  /** The connection may have gone since: what ends its subscriptions runs from the content it had. */
  readonly gone?: { readonly connection: Address; readonly connector: Address }
}

export interface Bound {
  readonly kind: 'bound'
  /** Whose connection it is. */
  readonly tenant: TenantId
  readonly connection: Address
  /** The role (`as`) under which rules know the connection. */
  readonly connectionRole: string
  readonly connector: Address
  readonly connectorDigest: Digest
  readonly connectionDigest: Digest
  /** The tool as the Connector's spec writes it, after defaults. */
  readonly tool: JsonObject
  /** Its key: the capability. */
  readonly toolName: string
  readonly config: JsonObject
}

export interface PlannedEffect {
  readonly entityKey: string
  readonly value: { readonly amount: string; readonly currency: string | null } | null
  readonly tier: 0 | 1 | 2 | 3
  /** Digest over the whole request, credentials left out. */
  readonly requestDigest: Digest
  /** The one request that the token of an intent lets out. */
  readonly request: PlannedRequest
}

export interface PlannedRequest {
  readonly method: string
  /** Host, port where it is not the scheme's, path and query: what follows `https://`. */
  readonly target: string
  readonly bodyDigest: Digest
}

/** Proof of a committed intent, minted by the executor alone: good for one attempt of one request until its deadline. */
export interface EffectToken extends PlannedRequest {
  readonly actionId: string
  readonly attempt: number
  /** On the monotonic clock (`performance.now()`), counted from before the claim was sent. */
  readonly deadlineMs: number
}

export interface AttemptOptions {
  readonly idempotencyKey: string
  readonly token: EffectToken
  /** The token's: past it nothing is sent, and no answer is waited for. */
  readonly deadlineMs: number
  readonly resend: boolean
  /** The version a conditional effect is bound to (`If-Match`); read just before the intent. */
  readonly ifMatch?: string | null
  /** Over a connection that nothing else uses: a break of it is a doubt that only a person can settle. */
  readonly alone?: boolean
  readonly signal: AbortSignal
}

/**
 * applied: it happened. failed: it was refused for good. not-done: certainly not made, and may be made later. unknown: it
 * may or may not have happened. not-sent: our own clock forbade the first byte.
 */
export interface AttemptResult {
  readonly kind: 'applied' | 'failed' | 'not-done' | 'unknown' | 'not-sent'
  readonly reason: string
  readonly status: number | null
  readonly body: Json | null
  readonly responseDigest: Digest | null
  readonly retryAfterMs: number | null
  /** A success whose body does not fit the output schema: applied, and flagged. */
  readonly outputInvalid: boolean
  /** Which credential was used: never its value. */
  readonly credential: { readonly name: string; readonly version: number } | null
}

/** A request as a person reads it. Of a program's tool the method is `CALL`, and the URL names the connection and its tool. */
export interface RehearsedRequest {
  readonly method: string
  readonly url: string
  readonly headers: { readonly [name: string]: string }
  readonly body: Json
}

/** `kept`: nothing but the token of an intent was missing, as `why` says. `refused`: it could not be sent with one either. */
export type Rehearsal =
  | { readonly kind: 'kept'; readonly request: RehearsedRequest; readonly why: string }
  | { readonly kind: 'refused'; readonly reason: string }

/** `away`: the provider is not there, or lets nobody in. That says nothing of what was asked. */
export type ReadResult =
  | { readonly kind: 'ok'; readonly body: Json }
  | { readonly kind: 'failed'; readonly reason: string; readonly away?: boolean }
