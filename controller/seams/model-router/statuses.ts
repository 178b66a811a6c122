import type { ModelAnswer, WireAnswer } from '../model-router.ts'

type Unanswered = Exclude<ModelAnswer, { kind: 'answered' }>

/**
 * What an answer without a usable body means; null for a success. A model changes nothing outside, so what is told apart is
 * who pays: what was turned away at the door cost nothing, and what broke after it was sent may have been answered.
 */
export function unansweredOf(answer: WireAnswer, message: string | null): Unanswered | null {
  if (answer.kind === 'not-sent') return { kind: 'not-done', reason: answer.reason, retryAfterMs: answer.retryAfterMs }
  if (answer.kind === 'broken') return { kind: 'unknown', reason: answer.reason }
  const { status, headers } = answer
  if (status >= 200 && status < 300) return null
  const reason = `HTTP ${status}${message === null ? '' : `: ${message}`}`
  if (status === 429 || status === 425)
    return { kind: 'not-done', reason, retryAfterMs: secondsOf(headers['retry-after']) }
  // 424: Bedrock's word for a model that broke while it answered.
  if (status === 408 || status === 424 || status >= 500) return { kind: 'unknown', reason }
  return { kind: 'failed', reason }
}

/** A provider's own word on what was wrong, on one line and short. */
export function shortened(text: unknown): string | null {
  if (typeof text !== 'string' || text === '') return null
  return text.replace(/\s+/g, ' ').slice(0, 300)
}

function secondsOf(text: string | undefined): number | null {
  return text !== undefined && /^\d{1,6}$/.test(text.trim()) ? Number(text) * 1000 : null
}
