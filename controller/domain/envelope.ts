import type { TenantId } from './ids.ts'
import type { JsonObject } from './json.ts'

/** An event as everyone sees it: exactly these ten fields, all always present; absence is null. */
export interface Envelope {
  readonly event_id: string
  readonly reseller_id: string | null
  readonly tenant_id: TenantId
  readonly workspace_id: string | null
  readonly source: string
  readonly event_type: string
  readonly correlation_id: string
  readonly payload: JsonObject
  readonly agent_id: string | null
  readonly session_id: string | null
}

/** How an event came in. */
export type Origin = 'api' | 'webhook' | 'gateway' | 'poll' | 'internal'

/** An event on its way into the log. Tenancy, id and time are stamped there, never taken from what was received. */
export interface NewEvent {
  readonly source: string
  readonly eventType: string
  readonly payload: JsonObject
  readonly origin: Origin
  /** Absent: a new one. */
  readonly correlationId?: string | null
  readonly workspaceId?: string | null
  readonly agentId?: string | null
  readonly sessionId?: string | null
  /** Deduplicates within (tenant, source); without one nothing is deduplicated. */
  readonly key?: string | null
  /** What was received, byte for byte, where it says more than the payload. */
  readonly body?: Uint8Array | null
  /** How many runs led to it. */
  readonly depth?: number
}

export interface FieldProblem {
  readonly field: string
  readonly message: string
}

/** Sources and types that only the platform itself may give an event. */
export function isReserved(event: { readonly source: string; readonly eventType: string }): boolean {
  const { source, eventType } = event
  if (source === 'git' || source === 'cron' || source === 'fibric' || source.startsWith('operator:')) return true
  return /^(?:git|fibric)(?:\.|$)/.test(eventType)
}

const idMax = 255
const typeShape = /^[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63}){0,31}$/

/** What is wrong with the names and ids of an event; the payload may hold anything that JSON can. */
export function envelopeProblems(event: Omit<NewEvent, 'payload' | 'origin'>): FieldProblem[] {
  const problems: FieldProblem[] = []
  if (!typeShape.test(event.eventType) || event.eventType.length > idMax) {
    problems.push({
      field: 'event_type',
      message: 'must be segments of letters, digits, `_` and `-` with dots between',
    })
  }
  const texts = {
    source: event.source,
    correlation_id: event.correlationId ?? null,
    workspace_id: event.workspaceId ?? null,
    agent_id: event.agentId ?? null,
    session_id: event.sessionId ?? null,
    idempotency_key: event.key ?? null,
  }
  for (const [field, text] of Object.entries(texts)) {
    if (text !== null && !isName(text)) problems.push({ field, message: textRule })
  }
  return problems
}

const textRule = `must be 1 to ${idMax} characters, none of them a control character or half a surrogate pair`

/** PostgreSQL's text holds neither U+0000 nor half a pair, and nothing that prints needs the other control characters. */
function isName(text: string): boolean {
  return text.length >= 1 && text.length <= idMax && text.isWellFormed() && !/\p{Cc}/u.test(text)
}
