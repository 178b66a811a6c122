import { canonicalBytes } from '../../domain/canonical-json.ts'
import type { TenantId } from '../../domain/ids.ts'
import { isJsonObject, type Json, type JsonObject } from '../../domain/json.ts'
import type { PreparedCredential, ReadyCredential } from '../auth/credentials.ts'
import type { EgressAnswer, EgressBroker } from '../egress/broker.ts'
import type { AllowList } from '../egress/destination.ts'
import type { RenderedRequest } from '../request.ts'
import type { JSONRPCMessage, Transport } from './client.ts'
import { EventStreamReader } from './event-stream.ts'
import { type CallGate, type Gates, Unwritten } from './gate.ts'
import { callId } from './planned-call.ts'

export interface HttpSession {
  readonly broker: EgressBroker
  readonly tenantId: TenantId
  readonly url: string
  /** Where the request may go, and what lets it in there. */
  readonly reach: (request: RenderedRequest) => Promise<{ allowed: AllowList; credential: PreparedCredential }>
  readonly deadlineMs: number
  readonly signal: AbortSignal | null
  readonly gates: Gates
}

/** A message that got no answer of the protocol: what became of its request. */
export class WireFailure extends Error {
  readonly answer: EgressAnswer
  /** Whether it was the call itself, and no message that goes before it. */
  readonly isCall: boolean
  /** Whether the request belonged to a session that the server may have ended. */
  readonly inSession: boolean

  constructor(answer: EgressAnswer, isCall: boolean, inSession: boolean) {
    super(answer.kind === 'answered' ? `HTTP ${answer.status}` : answer.kind)
    this.answer = answer
    this.isCall = isCall
    this.inSession = inSession
  }
}

export class CredentialFailure extends Error {
  readonly kind: 'missing' | 'failed'

  constructor({ kind, reason }: PreparedCredential & { kind: 'missing' | 'failed' }) {
    super(reason)
    this.kind = kind
  }
}

export const answerBytesMax = 4 * 1_048_576

/**
 * Streamable HTTP of MCP, every message through the egress broker. A session serves one call: so the id of the call, and
 * with it every byte of its request, is known before the intent is written, and the token of the intent covers them all.
 */
export class HttpTransport implements Transport {
  onclose?: () => void
  onerror?: (error: Error) => void
  onmessage?: Transport['onmessage']
  sessionId?: string
  /** The credential of the last message. */
  used: ReadyCredential | null = null
  readonly #session: HttpSession
  #version: string | null = null

  constructor(session: HttpSession) {
    this.#session = session
  }

  start(): Promise<void> {
    return Promise.resolve()
  }

  setProtocolVersion(version: string): void {
    this.#version = version
  }

  async send(message: JSONRPCMessage): Promise<void> {
    const gate = this.#session.gates.of(message)
    const own = 'id' in message ? message.id : undefined
    // A proposer's call goes out under an id that was known before.
    const sent = gate === null ? message : { ...message, id: callId }
    const wanted = 'id' in sent && 'method' in sent ? (sent.id as string | number) : null
    const stream = new EventStreamReader(wanted)
    const answer = await this.#post('POST', canonicalBytes(sent as unknown as Json), gate, stream)
    if (answer.kind !== 'answered' || answer.status < 200 || answer.status > 299) {
      throw new WireFailure(answer, gate !== null, this.sessionId !== undefined)
    }
    const session = answer.headers['mcp-session-id']
    if (session !== undefined) this.sessionId ??= session
    if (wanted === null) return
    const received = messagesOf(answer, stream)
    const isOurs = (each: JsonObject): boolean => each.id === wanted && !('method' in each)
    if (!received?.some(isOurs)) {
      const detail = received === null ? 'the answer is not JSON' : 'it ended without an answer to the call'
      throw new WireFailure({ kind: 'broken', reason: 'reset', status: answer.status, detail }, gate !== null, false)
    }
    for (const each of received) {
      this.onmessage?.({ ...each, ...(isOurs(each) && { id: own }) } as unknown as JSONRPCMessage)
    }
  }

  async close(): Promise<void> {
    // The call has its answer by now; a session whose end is not told runs out by itself.
    if (this.sessionId !== undefined) await this.#post('DELETE', null, null, null).catch(() => {}) // it runs out
    this.onclose?.()
  }

  async #post(
    method: 'POST' | 'DELETE',
    body: Buffer | null,
    gate: CallGate | null,
    stream: EventStreamReader | null,
  ): Promise<EgressAnswer> {
    const { broker, tenantId, url, reach, deadlineMs, signal } = this.#session
    const request = { method, url, headers: this.#headers(body), body }
    const { allowed, credential } = await reach(request)
    if (credential.kind !== 'ready') throw new CredentialFailure(credential)
    this.used = credential
    const refusal = gate?.token === null ? gate.mayWrite() : null
    if (refusal !== null) throw new Unwritten(refusal)
    gate?.leaving()
    const answer = await broker.call({
      class: gate?.token ? 'effect' : 'read',
      tenantId,
      allowed,
      ...request,
      credentials: credential.credentials,
      deadlineMs,
      responseBytesMax: answerBytesMax,
      signal,
      token: gate?.token ?? null,
      vouched: gate?.vouched ?? false,
      protocol: gate === null,
      isEnough: (chunk, headers) => stream !== null && isEventStream(headers) && stream.push(chunk),
    })
    if (answer.kind === 'answered' && answer.status === 401) await credential.rejected()
    return answer
  }

  #headers(body: Buffer | null): { [name: string]: string } {
    return {
      accept: 'application/json, text/event-stream',
      ...(body === null ? {} : { 'content-type': 'application/json' }),
      ...(this.sessionId === undefined ? {} : { 'mcp-session-id': this.sessionId }),
      ...(this.#version === null ? {} : { 'mcp-protocol-version': this.#version }),
    }
  }
}

/** The messages of an answer; null where it cannot be read. */
function messagesOf(answer: EgressAnswer & { kind: 'answered' }, stream: EventStreamReader): JsonObject[] | null {
  if (isEventStream(answer.headers)) return stream.messages.filter((each) => isJsonObject(each))
  try {
    const parsed = JSON.parse(answer.body.toString('utf8')) as Json
    return [parsed].flat().filter((each) => isJsonObject(each)) as JsonObject[]
  } catch {
    return null // the call is in doubt then
  }
}

function isEventStream(headers: { readonly [name: string]: string }): boolean {
  return /^text\/event-stream\b/i.test(headers['content-type'] ?? '')
}
