import { slugOf } from '../../domain/address.ts'
import { digestBytes } from '../../domain/digest.ts'
import { platformSlug } from '../../domain/ids.ts'
import type { Json, JsonObject } from '../../domain/json.ts'
import type { AttemptOptions, AttemptResult, Bound, EffectToken, ReadResult } from '../../executor/effects/connector.ts'
import type { ReadyCredential } from '../auth/credentials.ts'
import type { Footing } from '../binding.ts'
import type { EgressAnswer } from '../egress/broker.ts'
import { retryAfterMs } from '../egress/rate-gates.ts'
import type { SpentTokens } from '../egress/tokens.ts'
import { judge, judgeMcp } from '../first-answer.ts'
import { timeoutMsOf } from '../planning.ts'
import { argumentsFor, RenderError } from '../request.ts'
import { misfitOf } from '../tool-schemas.ts'
import { type CallPlace, type McpCaller, NotCalled } from './caller.ts'
import { type McpAnswer, McpRefusal } from './client.ts'
import { Unwritten } from './gate.ts'
import { CredentialFailure, WireFailure } from './http-transport.ts'
import { callParams, plannedCall } from './planned-call.ts'

/** What an attempt at an effect of an MCP tool came to. Never throws for anything a server does. */
export async function attemptCall(
  { mcp, tokens }: { readonly mcp: McpCaller; readonly tokens: SpentTokens },
  bound: Bound,
  footing: Footing,
  args: Json,
  options: AttemptOptions,
): Promise<AttemptResult> {
  const { token, signal } = options
  const planned = plannedCall(bound, footing, args)
  let isWritten = false
  const mayWrite = (): string | null => misfit(token, planned) ?? tokens.spend(token)
  const leaving = (): void => {
    isWritten = true
  }
  try {
    const deadlineMs = Math.min(options.deadlineMs, performance.now() + timeoutMsOf(bound.tool))
    const gate = { token, vouched: false, mayWrite, leaving }
    const place = placeOf(bound, footing, footing.connection.credential)
    const { answer, used } = await mcp.call(place, callParams(bound, args), gate, { deadlineMs, signal })
    return judged(bound, args, answer, used, options.resend)
  } catch (error) {
    return withoutAnswer(bound, args, error, isWritten, options)
  }
}

/** Calls a tool of tier 0. Only a `_platform` Connector may say that an MCP tool reads. */
export async function readCall(
  mcp: McpCaller,
  bound: Bound,
  footing: Footing,
  args: Json,
  signal: AbortSignal,
): Promise<ReadResult> {
  if (slugOf(bound.connector) !== platformSlug) {
    return { kind: 'failed', reason: 'a reading MCP tool stands in a `_platform` connector only' }
  }
  try {
    const { connection } = footing
    const place = placeOf(bound, footing, connection.readCredential ?? connection.credential)
    const gate = { token: null, vouched: true, mayWrite: () => null, leaving: () => {} }
    const deadlineMs = performance.now() + timeoutMsOf(bound.tool)
    const { answer, used } = await mcp.call(place, callParams(bound, args), gate, { deadlineMs, signal })
    const body = resultOf(redacted(answer, used))
    if (answer.isError)
      return { kind: 'failed', reason: `the tool answered isError: ${JSON.stringify(body).slice(0, 300)}` }
    const misfit = misfitOf(bound.tool.output, body)
    if (misfit === null) return { kind: 'ok', body }
    return { kind: 'failed', reason: `the answer does not fit the output schema: ${misfit}` }
  } catch (error) {
    if (error instanceof RenderError) throw error
    return { kind: 'failed', reason: (error as Error).message, away: true }
  }
}

export function placeOf(bound: Omit<Bound, 'kind'>, footing: Footing, credential: Json | undefined): CallPlace {
  const { tenant, connection, connectionDigest, connector, connectorDigest } = bound
  return { tenant, connection, connectionDigest, connector, connectorDigest, footing, credential }
}

/** What a tool gave: its structured content where it has one, else the content as it is. */
function resultOf({ structured, content }: McpAnswer): Json {
  return structured ?? { content }
}

function redacted(answer: McpAnswer, used: ReadyCredential | null): McpAnswer {
  if (used === null) return answer
  const { content, structured } = answer
  return {
    ...answer,
    content: used.redactor.json(content),
    structured: structured && (used.redactor.json(structured) as JsonObject),
  }
}

function judged(
  { tool, config }: Bound,
  args: Json,
  given: McpAnswer,
  used: ReadyCredential | null,
  resend: boolean,
): AttemptResult {
  const answer = redacted(given, used)
  const { isError, content, structured } = answer
  const body = resultOf(answer)
  const response = { status: 200, headers: {}, body: { isError, content, structuredContent: structured } }
  const names = { config, args: argumentsFor(tool, args), response, result: body }
  const { kind, reason } = judgeMcp(tool, isError, resend, names)
  return {
    ...ended(kind, reason, used),
    body,
    responseDigest: digestBytes(JSON.stringify({ isError, body })),
    outputInvalid: kind === 'applied' && misfitOf(tool.output, body) !== null,
  }
}

/** A call without an answer: certainly not made where nothing was written, and else in doubt. */
function withoutAnswer(
  bound: Bound,
  args: Json,
  error: unknown,
  isWritten: boolean,
  options: AttemptOptions,
): AttemptResult {
  if (error instanceof RenderError) return ended('failed', error.message)
  if (error instanceof NotCalled) return ended(error.kind, error.message)
  if (error instanceof CredentialFailure) return ended(error.kind === 'missing' ? 'not-done' : 'failed', error.message)
  if (error instanceof Unwritten) return ended('not-sent', error.message)
  // Servers report a failure of the tool's own making as an error of the protocol too, after its work.
  if (error instanceof McpRefusal) return ended('unknown', `the server answered ${error.message}`)
  if (error instanceof WireFailure) return onTheWire(bound, args, error, options)
  const reason = (error as Error).message
  if (isWritten) return ended('unknown', `no answer: ${reason}`)
  return ended(options.signal.aborted ? 'not-sent' : 'not-done', `the session did not open: ${reason}`)
}

function onTheWire(
  { tool, config }: Bound,
  args: Json,
  { answer, isCall, inSession }: WireFailure,
  options: AttemptOptions,
): AttemptResult {
  if (!isCall) return beforeTheCall(answer)
  if (answer.kind !== 'answered') return ended(kindOf(answer), `no answer: ${detailOf(answer)}`)
  const { status, headers } = answer
  const retry = retryAfterMs(headers['retry-after'], Date.now())
  // By the protocol a server answers so when it took nothing, because the session was over.
  if (status === 404 && inSession) return { ...ended('not-done', 'HTTP 404: the session was over'), status }
  const names = { config, args: argumentsFor(tool, args), response: { status, headers, body: null }, result: null }
  const { kind, reason } = judge({ ...tool, outcome: {} }, { status, unparsable: null, resend: options.resend, names })
  return { ...ended(kind, reason), status, retryAfterMs: kind === 'not-done' ? retry : null }
}

/** The session did not open: the call was not made, and may be where the server was not at hand. */
function beforeTheCall(answer: EgressAnswer): AttemptResult {
  if (answer.kind !== 'answered') {
    const kind = kindOf(answer)
    const retryAfter = answer.kind === 'gated' ? answer.retryAfterMs : null
    return { ...ended(kind === 'unknown' ? 'not-done' : kind, detailOf(answer)), retryAfterMs: retryAfter }
  }
  const { status, headers } = answer
  const isFinal = status >= 400 && status < 500 && ![408, 425, 429].includes(status)
  return {
    ...ended(isFinal ? 'failed' : 'not-done', `the session did not open: HTTP ${status}`),
    status,
    retryAfterMs: isFinal ? null : retryAfterMs(headers['retry-after'], Date.now()),
  }
}

function kindOf(answer: Exclude<EgressAnswer, { kind: 'answered' }>): AttemptResult['kind'] {
  switch (answer.kind) {
    case 'refused':
      return 'failed'
    case 'unresolved':
    case 'unconnected':
    case 'gated':
      return 'not-done'
    case 'unwritten':
      return 'not-sent'
    case 'broken':
      return 'unknown'
  }
}

function detailOf(answer: Exclude<EgressAnswer, { kind: 'answered' }>): string {
  switch (answer.kind) {
    case 'gated':
      return 'the host asked to be left alone'
    case 'unconnected':
      return answer.detail
    case 'broken':
      return `${answer.reason}: ${answer.detail}`
    case 'refused':
    case 'unresolved':
    case 'unwritten':
      return answer.reason
  }
}

function misfit(token: EffectToken, call: { method: string; target: string; bodyDigest: string }): string | null {
  const same = token.method === call.method && token.target === call.target && token.bodyDigest === call.bodyDigest
  return same ? null : 'the token is for another call'
}

function ended(kind: AttemptResult['kind'], reason: string, used: ReadyCredential | null = null): AttemptResult {
  const nothing = { status: null, body: null, responseDigest: null, retryAfterMs: null, outputInvalid: false }
  return { kind, reason, ...nothing, credential: used?.used ?? null }
}
