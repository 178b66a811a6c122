import { slugOf } from '../domain/address.ts'
import { FibricError } from '../domain/errors.ts'
import { platformSlug } from '../domain/ids.ts'
import type { Json } from '../domain/json.ts'
import type { Bound, ReadResult } from '../executor/effects/connector.ts'
import { parseBody } from './answer-body.ts'
import type { ReadyCredential } from './auth/credentials.ts'
import { type Footing, footingOf } from './binding.ts'
import { type Carrier, reach } from './carrier.ts'
import type { EgressAnswer } from './egress/broker.ts'
import { readCall } from './mcp/attempt.ts'
import { renderTool, requireInput, tierOf, timeoutMsOf } from './planning.ts'
import { RenderError, type RenderedRequest } from './request.ts'
import { misfitOf } from './tool-schemas.ts'

const answerBytesMax = 8_388_608

/** Calls a tool of tier 0, with the read credential where there is one. Never throws for anything a provider does. */
export async function makeRead(carrier: Carrier, bound: Bound, args: Json, signal: AbortSignal): Promise<ReadResult> {
  try {
    if (tierOf(bound.tool) !== 0) return failed(`\`${bound.toolName}\` is an effect, and no read`)
    requireInput(bound.tool, args)
    const footing = footingOf(carrier.catalog, bound)
    if (footing.connector.runtime === 'mcp') return await readCall(carrier.mcp, bound, footing, args, signal)
    const request = renderTool(bound, footing, args)
    const vouched = slugOf(bound.connector) === platformSlug
    const asked = await askOnce(carrier, bound, footing, request, {
      vouched,
      timeoutMs: timeoutMsOf(bound.tool),
      signal,
    })
    return 'problem' in asked ? failed(asked.problem, asked.away) : bodyOf(bound, asked)
  } catch (error) {
    if (error instanceof RenderError) return failed(error.message)
    if (error instanceof FibricError) return failed(`${error.code}: ${error.message}`)
    throw error
  }
}

export interface Asked {
  readonly answer: EgressAnswer & { readonly kind: 'answered' }
  readonly credential: ReadyCredential
}

export interface Unasked {
  readonly problem: string
  readonly status: number | null
  /** It may work later, whatever was asked. */
  readonly away: boolean
}

/** One request of class `read`: its answer, or why there is none. */
export async function askOnce(
  carrier: Carrier,
  place: Parameters<typeof reach>[1],
  footing: Footing,
  request: RenderedRequest,
  options: { readonly vouched: boolean; readonly timeoutMs: number; readonly signal: AbortSignal | null },
): Promise<Asked | Unasked> {
  const deadlineMs = performance.now() + options.timeoutMs
  const name = footing.connection.readCredential ?? footing.connection.credential
  const { allowed, credential } = await reach(carrier, place, footing, request, {
    name,
    deadlineMs,
    signal: options.signal,
  })
  if (credential.kind !== 'ready') return { problem: credential.reason, status: null, away: true }
  const answer = await carrier.broker.call({
    class: 'read',
    tenantId: place.tenant,
    allowed,
    ...request,
    credentials: credential.credentials,
    deadlineMs,
    responseBytesMax: answerBytesMax,
    signal: options.signal,
    token: null,
    vouched: options.vouched,
  })
  if (answer.kind !== 'answered') return problemOf(answer)
  if (answer.status === 401) await credential.rejected()
  return { answer, credential }
}

function problemOf(answer: Exclude<EgressAnswer, { kind: 'answered' }>): Unasked {
  switch (answer.kind) {
    case 'gated':
      return { problem: 'the host asked to be left alone', status: null, away: true }
    case 'unconnected':
      return { problem: `no connection: ${answer.detail}`, status: null, away: true }
    case 'broken':
      return { problem: `${answer.reason}: ${answer.detail}`, status: answer.status, away: true }
    case 'unresolved':
      return { problem: answer.reason, status: null, away: true }
    case 'refused':
    case 'unwritten':
      return { problem: answer.reason, status: null, away: false }
  }
}

/** Answers that would be the same whatever was asked for: the key is not let in, it is too much, or the provider is broken. */
function isAway(status: number): boolean {
  return status >= 500 || [401, 408, 425, 429].includes(status)
}

function bodyOf({ tool }: Bound, { answer, credential }: Asked): ReadResult {
  const { status, headers } = answer
  if (status < 200 || status > 299) return failed(`HTTP ${status}`, isAway(status))
  const { output } = tool
  const parsed = parseBody(headers, answer.body, output !== undefined)
  if (parsed.kind === 'unparsable') return failed(`the answer cannot be read: ${parsed.reason}`)
  const body = credential.redactor.json(parsed.body)
  const misfit = misfitOf(output, body)
  return misfit === null ? { kind: 'ok', body } : failed(`the answer does not fit the output schema: ${misfit}`)
}

function failed(reason: string, away = false): ReadResult {
  return { kind: 'failed', reason, away }
}
