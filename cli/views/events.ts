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

export function renderReplays(replays: readonly ReplayShown[]): string {
  const [one, ...more] = replays
  if (one === undefined) return 'No operator is triggered by an event of that range: nothing to deliver.'
  if (more.length === 0) return renderReplay(one)
  const total = replays.reduce((sum, { count }) => sum + count, 0)
  const rows = replays.map((replay) => [
    recipientOf(replay),
    String(replay.count),
    replay.sample[0]?.received_at ?? '-',
    replay.id ?? '-',
    replay.status ?? '-',
  ])
  const would = one.dry_run ? 'would be' : 'will be'
  const head = `${countOf(total, 'delivery', 'deliveries')} ${would} made again, to ${replays.length} consumers:`
  return `${head}\n${renderTable(['TO', 'EVENTS', 'FIRST RECEIVED', 'REPLAY', 'STATUS'], rows)}`
}

function renderReplay(replay: ReplayShown): string {
  const events = countOf(replay.count, 'event', 'events')
  const to = recipientOf(replay)
  if (replay.count === 0) return `No event matches: nothing to deliver to ${to}.`
  const paused =
    replay.status === null || replay.status === 'active' ? '' : `\nIt gets them once it runs: ${replay.status}.`
  if (!replay.dry_run) return `${replay.id}: ${events} will be delivered to ${to} again.${paused}`
  const rows = replay.sample.map((event) => [
    String(event.position),
    event.event_id,
    event.received_at,
    event.event_type,
  ])
  const rest = replay.count > rows.length ? `… and ${replay.count - rows.length} more\n` : ''
  return `${events} would be delivered to ${to} again:\n${renderTable(['POSITION', 'ID', 'RECEIVED', 'TYPE'], rows)}${rest}${paused.trimStart()}`
}

function recipientOf({ operator, consumer }: ReplayShown): string {
  return operator ?? consumer
}

function countOf(count: number, one: string, many: string): string {
  return `${count} ${count === 1 ? one : many}`
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

/** What came of one dead letter that was to be delivered again. */
export interface Redriven {
  readonly object: 'redriven'
  readonly id: string
  readonly became: string | null
  readonly error: { readonly code: string; readonly message: string; readonly hint: string | null } | null
}

export function renderRedriven(redriven: readonly Redriven[], hasMore: boolean): string {
  if (redriven.length === 0) return 'No dead letters.'
  const lines = redriven.map(({ id, became, error }) =>
    error === null ? `${id} is ${became} now` : `${id} is not delivered: ${error.message} (${error.code})`,
  )
  const failed = redriven.filter(({ error }) => error !== null).length
  const more = hasMore ? '; there are more: fibric events dead list' : ''
  const good = countOf(redriven.length - failed, 'dead letter was', 'dead letters were')
  return [...lines, `${good} delivered again, ${failed} could not be${more}`].join('\n')
}
