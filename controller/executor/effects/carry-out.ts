import { isJsonObject, type Json } from '../../domain/json.ts'
import { isKeepableJson, keepableText } from '../../domain/keepable.ts'
import type { AttemptResult } from './connector.ts'
import type { ExecutorContext } from './context.ts'
import type { AttemptFacts } from './effect.ts'
import { afterAttempt, afterQuery, afterResend, type Next } from './outcome.ts'
import { askProvider, settleMsOf } from './provider-state.ts'
import type { Taken } from './take-on.ts'

export interface CarriedOut {
  readonly next: Next
  readonly attempt: AttemptFacts
  /** Whether the connection did not take it on at all: what breakers count. Null: it was not called. */
  readonly reached: boolean | null
}

const keptBodyBytesMax = 16_384

/** Sends what was committed, or asks the provider about it. Never throws: whatever went wrong is a doubt. */
export async function carryOut(context: ExecutorContext, taken: Taken, signal: AbortSignal): Promise<CarriedOut> {
  const { effect, bound, attempt, state } = taken
  const timing = (): { nowMs: number; backoffMs: (attempts: number) => number } => ({
    nowMs: context.clock().getTime(),
    backoffMs: context.settings.backoffMs,
  })
  if (state === 'reconciling' && effect.facts.class === 'queryable') {
    const said = await ask(context, taken).then((answer) =>
      'unanswered' in answer ? { unanswered: keepableText(answer.unanswered) } : answer,
    )
    return { next: afterQuery(said, attempt, settleMsOf(bound.tool), timing()), attempt, reached: null }
  }
  const result = await send(context, taken, signal).then(worded)
  const next = (state === 'reconciling' ? afterResend : afterAttempt)(effect.facts, attempt, result, timing())
  return {
    next,
    attempt: withResult(taken, result),
    reached: result.kind === 'not-sent' ? null : result.kind !== 'not-done',
  }
}

async function send(context: ExecutorContext, taken: Taken, signal: AbortSignal): Promise<AttemptResult> {
  const { effect, bound, planned, attempt, deadlineMs } = taken
  const token = { ...planned.request, actionId: effect.row.action_id, attempt: attempt.number, deadlineMs }
  // The connector keeps the deadline itself; should it not, nobody waits for it much longer.
  const overdue = AbortSignal.timeout(Math.max(1, Math.ceil(deadlineMs - performance.now() + 1000)))
  try {
    return await Promise.race([
      context.connector.attempt(bound, effect.row.args, {
        idempotencyKey: effect.row.action_id,
        token,
        deadlineMs,
        resend: attempt.resend,
        ifMatch: attempt.ifMatch,
        alone: effect.facts.class === 'blind',
        signal: AbortSignal.any([signal, overdue]),
      }),
      aborted(signal, 'the request was aborted'),
      aborted(overdue, 'no answer before the deadline', 1000),
    ])
  } catch (error) {
    context.onFailure(error, `calling \`${effect.row.capability}\``)
    return unknown('the connector failed while the request may have been under way')
  }
}

async function ask(context: ExecutorContext, { effect, bound }: Taken) {
  try {
    return await askProvider(context.connector, bound, effect.row.args)
  } catch (error) {
    context.onFailure(error, `asking about \`${effect.row.capability}\``)
    return { unanswered: 'the connector failed' }
  }
}

/** A doubt, a little after the signal: the connector may have something better to say. */
function aborted(signal: AbortSignal, reason: string, graceMs = 200): Promise<AttemptResult> {
  return new Promise((resolve) => {
    const late = (): void => void setTimeout(() => resolve(unknown(reason)), graceMs).unref()
    if (signal.aborted) late()
    else signal.addEventListener('abort', late, { once: true })
  })
}

function unknown(reason: string): AttemptResult {
  return {
    kind: 'unknown',
    reason,
    status: null,
    body: null,
    responseDigest: null,
    retryAfterMs: null,
    outputInvalid: false,
    credential: null,
  }
}

/** What a provider worded may hold what cannot be kept. */
function worded(result: AttemptResult): AttemptResult {
  return { ...result, reason: keepableText(result.reason) }
}

function withResult({ attempt, bound }: Taken, result: AttemptResult): AttemptFacts {
  const { status, reason, responseDigest, credential, outputInvalid, body } = result
  const undo = isJsonObject(bound.tool.undo) && result.kind === 'applied' && isSmall(body) && isKeepableJson(body)
  return { ...attempt, status, reason, responseDigest, credential, outputInvalid, ...(undo && { body }) }
}

function isSmall(body: Json): boolean {
  return JSON.stringify(body).length <= keptBodyBytesMax
}
