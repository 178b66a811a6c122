import { digestBytes } from '../domain/digest.ts'
import { FibricError } from '../domain/errors.ts'
import type { Json, JsonObject } from '../domain/json.ts'
import type { AttemptOptions, AttemptResult, Bound } from '../executor/effects/connector.ts'
import { parseBody } from './answer-body.ts'
import type { ReadyCredential } from './auth/credentials.ts'
import { footingOf } from './binding.ts'
import { type Carrier, reach } from './carrier.ts'
import { retryAfterMs } from './egress/rate-gates.ts'
import type { WireAnswer } from './egress/send.ts'
import { judge } from './first-answer.ts'
import { attemptCall } from './mcp/attempt.ts'
import { renderTool, timeoutMsOf } from './planning.ts'
import { argumentsFor, objectOf, RenderError, type RenderedRequest } from './request.ts'
import { misfitOf } from './tool-schemas.ts'

const answerBytesMax = 1_048_576

/** One attempt at an effect: what it came to. Never throws for anything a provider does. */
export async function makeAttempt(
  carrier: Carrier,
  bound: Bound,
  args: Json,
  options: AttemptOptions,
): Promise<AttemptResult> {
  try {
    const footing = footingOf(carrier.catalog, bound)
    if (footing.connector.runtime === 'mcp') {
      const { mcp, broker } = carrier
      return await attemptCall({ mcp, tokens: broker.tokens }, bound, footing, args, options)
    }
    const request = withEffectHeaders(renderTool(bound, footing, args), bound.tool, options)
    const name = footing.connection.credential
    const way = await reach(carrier, bound, footing, request, { name, ...options })
    if (way.credential.kind !== 'ready') {
      // A value that is not set may be set later; what was refused is refused until somebody sees to it.
      return unsent(way.credential.kind === 'missing' ? 'not-done' : 'failed', way.credential.reason)
    }
    return await carry(carrier, bound, args, way.allowed, request, way.credential, options)
  } catch (error) {
    // Nothing after the first byte can end here: the broker answers whatever a host does.
    if (error instanceof RenderError) return unsent('failed', error.message)
    if (error instanceof FibricError) return unsent('not-sent', `${error.code}: ${error.message}`)
    throw error
  }
}

export function withEffectHeaders(
  request: RenderedRequest,
  tool: JsonObject,
  { idempotencyKey, ifMatch }: Pick<AttemptOptions, 'idempotencyKey' | 'ifMatch'>,
): RenderedRequest {
  const { idempotencyHeader } = objectOf(tool.http)
  const key =
    typeof idempotencyHeader === 'string' ? { [idempotencyHeader.toLowerCase()]: headerKey(idempotencyKey) } : {}
  const match = ifMatch === undefined || ifMatch === null ? {} : { 'if-match': ifMatch }
  return { ...request, headers: { ...request.headers, ...key, ...match } }
}

/** The key as a header carries it: the same for the same key, whatever it is written in; at most 255 characters. */
function headerKey(key: string): string {
  return /^[\x21-\x7e]{1,255}$/.test(key) ? key : digestBytes(key)
}

async function carry(
  carrier: Carrier,
  bound: Bound,
  args: Json,
  allowed: { readonly hosts: readonly string[]; readonly allowPrivate: readonly string[] },
  request: RenderedRequest,
  credential: ReadyCredential,
  options: AttemptOptions,
): Promise<AttemptResult> {
  const { used } = credential
  const answer = await carrier.broker.call({
    class: 'effect',
    tenantId: bound.tenant,
    allowed,
    ...request,
    credentials: credential.credentials,
    deadlineMs: Math.min(options.deadlineMs, performance.now() + timeoutMsOf(bound.tool)),
    responseBytesMax: answerBytesMax,
    signal: options.signal,
    token: options.token,
    alone: options.alone === true,
  })
  switch (answer.kind) {
    case 'refused':
      return unsent('failed', `the egress broker refused it: ${answer.reason}`, used)
    case 'unresolved':
      return unsent('not-done', answer.reason, used)
    case 'unconnected':
      return unsent('not-done', `no connection: ${answer.detail}`, used)
    case 'gated':
      return { ...unsent('not-done', 'the host asked to be left alone', used), retryAfterMs: answer.retryAfterMs }
    case 'unwritten':
      return unsent('not-sent', answer.reason, used)
    case 'broken':
      return { ...unsent('unknown', `${answer.reason}: ${answer.detail}`, used), status: answer.status }
    case 'answered':
      if (answer.status === 401) await credential.rejected()
      return judged(bound, args, answer, credential, options.resend)
  }
}

/** The effect may have happened by now: whatever goes wrong in looking at its answer is a doubt, and never an error. */
function judged(
  bound: Bound,
  args: Json,
  answer: WireAnswer & { kind: 'answered' },
  credential: ReadyCredential,
  resend: boolean,
): AttemptResult {
  try {
    return lookAt(bound, args, answer, credential, resend)
  } catch (error) {
    const reason = `HTTP ${answer.status}, and the answer could not be judged (${(error as Error).name})`
    return { ...unsent('unknown', reason, credential.used), status: answer.status }
  }
}

function lookAt(
  { tool, config }: Bound,
  args: Json,
  { status, headers, body: bytes }: WireAnswer & { kind: 'answered' },
  { redactor, used }: ReadyCredential,
  resend: boolean,
): AttemptResult {
  const parsed = parseBody(headers, bytes, tool.output !== undefined && status >= 200 && status < 300)
  const body = parsed.kind === 'parsed' ? redactor.json(parsed.body) : null
  const unparsable = parsed.kind === 'unparsable' ? parsed.reason : null
  const response = { status, headers: redactor.json(headers), body }
  const names = { config, args: argumentsFor(tool, args), response, result: body }
  const { kind, reason } = judge(tool, { status, unparsable, resend, names })
  const { output } = tool
  return {
    kind,
    reason,
    status,
    body,
    responseDigest: unparsable === null ? digestBytes(JSON.stringify({ status, body })) : null,
    retryAfterMs: kind === 'not-done' ? retryAfterMs(headers['retry-after'], Date.now()) : null,
    outputInvalid: kind === 'applied' && misfitOf(output, body) !== null,
    credential: used,
  }
}

function unsent(
  kind: AttemptResult['kind'],
  reason: string,
  credential: AttemptResult['credential'] = null,
): AttemptResult {
  const nothing = { status: null, body: null, responseDigest: null, retryAfterMs: null, outputInvalid: false }
  return { kind, reason, ...nothing, credential }
}
