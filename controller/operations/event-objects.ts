import type { JsonObject } from '../domain/json.ts'
import type { DeadLetter } from '../store/dead-letters.ts'
import type { ShownEvent } from './events.ts'
import type { Replay } from './replay.ts'

export type EventShown = ReturnType<typeof eventJson>
export type DeadLetterShown = ReturnType<typeof deadLetterJson>
export type ReplayShown = ReturnType<typeof replayJson>

export function eventJson(event: ShownEvent) {
  return {
    object: 'event' as const,
    id: event.envelope.event_id,
    ...event.envelope,
    tenant: event.tenant,
    origin: event.origin,
    idempotency_key: event.key,
    depth: event.depth,
    position: event.position,
    received_at: event.receivedAt,
  }
}

export function deadLetterJson(letter: DeadLetter) {
  const { letter_id: id, request, body, ...rest } = letter
  return {
    object: 'dead_letter',
    id,
    ...rest,
    request: request === null ? null : (JSON.parse(request.toString('utf8')) as JsonObject),
    body: body?.toString('base64') ?? null,
  }
}

export function replayJson(replay: Replay) {
  return {
    object: 'replay',
    id: replay.id,
    consumer: replay.consumer,
    operator: replay.operator,
    status: replay.status,
    dry_run: replay.dryRun,
    count: replay.count,
    sample: replay.sample,
  }
}
