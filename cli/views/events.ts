import type { DeadLetterShown, EventShown, ReplayShown } from '../../controller/operations/event-objects.ts'
import { renderTable } from './table.ts'

export function renderEvents(events: readonly EventShown[]): string {
  if (events.length === 0) return 'No events.'
  const rows = events.map((event) => [
    event.event_id,
    event.tenant,
    event.position === null ? '-' : String(event.position),
    event.received_at,
    event.event_type,
    event.source,
    event.correlation_id,
  ])
  return renderTable(['ID', 'TENANT', 'POSITION', 'RECEIVED', 'TYPE', 'SOURCE', 'CORRELATION'], rows)
}

const payloadMax = 120

/** One event in one line: what is longer than a line is for --json. */
export function renderEventLine(event: EventShown): string {
  const payload = JSON.stringify(event.payload)
  const shown = payload.length <= payloadMax ? payload : `${payload.slice(0, payloadMax)}…`
  return `${event.received_at} ${event.tenant} #${event.position} ${event.event_type} from ${event.source} ${shown.toWellFormed()}`
}

export function renderReplay(replay: ReplayShown): string {
  const events = replay.count === 1 ? '1 event' : `${replay.count} events`
  if (replay.count === 0) return `No event matches: nothing to deliver to ${replay.consumer}.`
  if (!replay.dry_run) return `${replay.id}: ${events} will be delivered to ${replay.consumer} again.`
  const rows = replay.sample.map((event) => [
    String(event.position),
    event.event_id,
    event.received_at,
    event.event_type,
  ])
  const rest = replay.count > rows.length ? `… and ${replay.count - rows.length} more\n` : ''
  return `${events} would be delivered to ${replay.consumer} again:\n${renderTable(['POSITION', 'ID', 'RECEIVED', 'TYPE'], rows)}${rest}`
}

export function renderDeadLetters(letters: readonly DeadLetterShown[]): string {
  if (letters.length === 0) return 'No dead letters.'
  const rows = letters.map((letter) => [
    letter.id,
    letter.created_at,
    letter.reason,
    letter.event_type,
    letter.source,
    letter.redriven_to ?? '-',
    letter.message,
  ])
  return renderTable(['ID', 'AT', 'REASON', 'TYPE', 'SOURCE', 'REDRIVEN TO', 'MESSAGE'], rows)
}
