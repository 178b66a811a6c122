import { randomBytes } from 'node:crypto'
import type { DeadLetterReason } from '../domain/dead-letter.ts'
import { mintId, type TenantId } from '../domain/ids.ts'
import type { Json } from '../domain/json.ts'
import type { DeadLetter } from '../store/dead-letters.ts'

/** What was received and made no event: kept where a person finds it. */
export interface Unusable {
  readonly reason: DeadLetterReason
  readonly message: string
  readonly source: string
  readonly eventType: string
  readonly origin: DeadLetter['origin']
  /** The event whose key it claims. */
  readonly eventId: string | null
  readonly key: string | null
  /** What, beside the body, is needed to try again. */
  readonly request: Json
  readonly body: Buffer | null
}

export function letterOf(tenantId: TenantId, unusable: Unusable, now: Date): DeadLetter {
  const { source, eventType, key, request, body } = unusable
  return {
    tenant_id: tenantId,
    letter_id: mintId('deadLetter', now.getTime(), randomBytes(10)),
    reason: unusable.reason,
    message: printable(unusable.message),
    source,
    event_type: eventType,
    event_id: unusable.eventId,
    consumer: null,
    idempotency_key: key === null ? null : printable(key),
    origin: unusable.origin,
    request: request === null ? null : Buffer.from(JSON.stringify(request), 'utf8'),
    body,
    created_at: now.toISOString(),
    redriven_at: null,
    redriven_by: null,
    redriven_to: null,
  }
}

/** What PostgreSQL's text can hold of a message that quotes what was received. */
export function printable(text: string): string {
  return text.replaceAll('\0', '\ufffd').toWellFormed().slice(0, 500).toWellFormed()
}
