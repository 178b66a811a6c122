import type { AttemptResult } from './connector.ts'
import type { AttemptFacts, EffectClass, EffectFacts } from './effect.ts'

/** What an attempt means for its action. */
export interface Next {
  readonly become: 'applied' | 'failed' | 'waiting' | 'unknown' | 'manual'
  readonly cause: string | null
  /** When it is looked at again; null: never by itself. */
  readonly dueMs: number | null
}

export interface Timing {
  readonly nowMs: number
  /** Backoff before an attempt, by how many there were. */
  readonly backoffMs: (attempts: number) => number
}

/** How long an idempotent effect in doubt is sent again before a person is asked. */
const resendForMs = 24 * 3_600_000

/** Doubles from a second to five minutes. */
export function backoffMs(attempts: number): number {
  return Math.min(300_000, 1000 * 2 ** Math.min(Math.max(attempts - 1, 0), 9))
}

/** What a first attempt, or one after attempts that were certainly not made, came to. */
export function afterAttempt(
  effect: Pick<EffectFacts, 'class' | 'retryForMs'>,
  attempt: Pick<AttemptFacts, 'number' | 'firstAtMs'>,
  result: AttemptResult,
  { nowMs, backoffMs: wait }: Timing,
): Next {
  switch (result.kind) {
    case 'applied':
      return { become: 'applied', cause: result.outputInvalid ? `output_invalid: ${result.reason}` : null, dueMs: null }
    case 'failed':
      return { become: 'failed', cause: result.reason, dueMs: null }
    case 'not-sent':
    case 'not-done': {
      const dueMs = result.retryAfterMs ?? (result.kind === 'not-sent' ? 0 : wait(attempt.number))
      const tillMs = attempt.firstAtMs + effect.retryForMs
      if (nowMs + dueMs < tillMs) return { become: 'waiting', cause: result.reason, dueMs }
      return { become: 'failed', cause: `not done until its time was over: ${result.reason}`, dueMs: null }
    }
    case 'unknown':
      return { become: 'unknown', cause: result.reason, dueMs: firstLookMs(effect.class, wait(attempt.number)) }
  }
}

/**
 * What a re-send came to. Four answers may be the work of our own first attempt and settle nothing, but that something
 * which was to be deleted is gone.
 */
export function afterResend(
  effect: Pick<EffectFacts, 'class' | 'method' | 'keyWindowMs'>,
  attempt: Pick<AttemptFacts, 'number' | 'firstAtMs'>,
  result: AttemptResult,
  { nowMs, backoffMs: wait }: Timing,
): Next {
  if (result.kind === 'applied') {
    return { become: 'applied', cause: result.outputInvalid ? `output_invalid: ${result.reason}` : null, dueMs: null }
  }
  if (result.status !== null && ambiguous.has(result.status)) {
    const gone = result.status === 404 || result.status === 410
    if (gone && effect.class === 'idempotent' && effect.method === 'DELETE') {
      return { become: 'applied', cause: `a re-send was answered ${result.status}: it is gone`, dueMs: null }
    }
    return {
      become: 'manual',
      cause: `a re-send was answered ${result.status}, which may be the first attempt's work`,
      dueMs: null,
    }
  }
  if (result.kind === 'failed' && result.status === null) {
    return { become: 'manual', cause: `it cannot be sent again: ${result.reason}`, dueMs: null }
  }
  if (result.kind === 'failed' && !turnedAway.has(result.status!)) {
    return { become: 'failed', cause: result.reason, dueMs: null }
  }
  const dueMs = result.retryAfterMs ?? wait(attempt.number)
  if (mayResend(effect, attempt.firstAtMs, nowMs + dueMs)) return { become: 'unknown', cause: result.reason, dueMs }
  return {
    become: 'manual',
    cause: `still in doubt when its time for re-sending was over: ${result.reason}`,
    dueMs: null,
  }
}

const ambiguous: ReadonlySet<number> = new Set([404, 409, 410, 412])

/** Said of the re-send before anybody looked at what it asks for: nothing of the first attempt. */
const turnedAway: ReadonlySet<number> = new Set([301, 307, 308, 401, 403, 407])

/** Whether an effect in doubt may be sent again at this moment: never a blind one, a keyed one while its key is remembered. */
export function mayResend(
  effect: Pick<EffectFacts, 'class' | 'keyWindowMs'>,
  firstAtMs: number,
  atMs: number,
): boolean {
  switch (effect.class) {
    case 'read':
    case 'idempotent':
    case 'conditional':
      return atMs < firstAtMs + resendForMs
    case 'keyed':
      return atMs < firstAtMs + effect.keyWindowMs / 2
    case 'queryable':
    case 'blind':
      return false
  }
}

/** What the provider said when it was asked. */
export function afterQuery(
  said: { readonly applied: boolean } | { readonly unanswered: string },
  attempt: Pick<AttemptFacts, 'asked' | 'firstAtMs'>,
  settleMs: number,
  { nowMs, backoffMs: wait }: Timing,
): Next {
  if ('unanswered' in said) {
    const dueMs = wait(attempt.asked)
    if (nowMs + dueMs < attempt.firstAtMs + resendForMs) return { become: 'unknown', cause: said.unanswered, dueMs }
    return { become: 'manual', cause: `the provider could not be asked: ${said.unanswered}`, dueMs: null }
  }
  if (said.applied) return { become: 'applied', cause: 'the provider was asked, and it happened', dueMs: null }
  const restMs = attempt.firstAtMs + settleMs - nowMs
  // It may still be on its way: its absence counts once the provider has had the time it takes.
  if (restMs > 0) return { become: 'unknown', cause: 'the provider was asked too early to tell', dueMs: restMs }
  return { become: 'failed', cause: 'the provider was asked, and it did not happen', dueMs: null }
}

/** A question and a decision need no waiting; a re-send gives the provider a moment. */
function firstLookMs(effect: EffectClass, waitMs: number): number {
  return effect === 'blind' || effect === 'queryable' ? 0 : waitMs
}
