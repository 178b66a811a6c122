import { setTimeout as sleep } from 'node:timers/promises'
import { envelopeProblems, isReserved, type NewEvent } from '../domain/envelope.ts'
import { ExpressionError } from '../domain/expression.ts'
import { isJsonObject } from '../domain/json.ts'
import { renderJson } from '../domain/render-json.ts'
import { dueTicks, nextTick } from '../domain/tick-times.ts'
import { readOnceMoved } from '../store/config-marks.ts'
import type { Database } from '../store/connect.ts'
import { writeDeadLetter } from '../store/dead-letters.ts'
import { ensureSchedule, lockSchedule, moveSchedule } from '../store/schedules.ts'
import type { Admission } from './admission.ts'
import { appendWithin } from './append.ts'
import { letterOf, type Unusable } from './letters.ts'
import { ScheduleDirectory, type ScheduleInForce } from './schedules-in-force.ts'
import { sequencerOf } from './sequencer.ts'

export interface ScheduleParts {
  readonly database: Database
  readonly admission: Admission
  readonly clock: () => Date
  /** Told of what went wrong and is tried again. */
  readonly onFailure: (error: unknown, doing: string) => void
}

const lookMs = 500
const readEveryMs = 2_000

/** Emits the events of every schedule until the signal aborts: one a tick, however many processes run it. */
export async function runSchedules(parts: ScheduleParts, signal: AbortSignal): Promise<void> {
  const directory = new ScheduleDirectory(parts.database)
  const readDirectory = readOnceMoved(parts.database, () => directory.read(), readEveryMs)
  /** When each schedule is worth a look; one that is not known yet is looked at now. */
  const next = new Map<string, Date | null>()
  let schedules: readonly ScheduleInForce[] = []
  for (let readAt = Number.NEGATIVE_INFINITY; !signal.aborted; ) {
    try {
      if (performance.now() - readAt >= readEveryMs) {
        schedules = await readDirectory()
        readAt = performance.now()
      }
      for (const schedule of schedules) {
        const due = next.get(nameOf(schedule))
        if (signal.aborted || due === null || (due !== undefined && due > parts.clock())) continue
        next.set(nameOf(schedule), await tickOnce(parts, schedule))
      }
    } catch (error) {
      parts.onFailure(error, 'looking for schedules that are due')
    }
    await pause(lookMs, signal)
  }
}

/** Emits what of one schedule is due; answers its next tick. */
export async function tickOnce(parts: ScheduleParts, schedule: ScheduleInForce): Promise<Date | null> {
  const { database, admission } = parts
  const { tenantId, slug, times } = schedule
  const now = parts.clock()
  // While a tenant is suspended its ticks are missed ones.
  if (await admission.isSuspended(tenantId, slug)) return nextTick(times, now)
  const name = { tenantId, scheduleId: schedule.id }
  const { emitted, ticked } = await database.asWorker([tenantId], async (tx) => {
    await ensureSchedule(tx, name, schedule.name, now.toISOString())
    const since = await lockSchedule(tx, name)
    const due = since === null ? null : dueTicks(times, new Date(since), now, schedule.missed)
    if (due === null) return { emitted: 0, ticked: since === null ? now : new Date(since) }
    const made = due.ticks.map((tick) => eventOfTick(schedule, tick))
    const events = made.flatMap((each) => ('reason' in each ? [] : [each]))
    await appendWithin(tx, tenantId, events, now)
    for (const each of made) if ('reason' in each) await writeDeadLetter(tx, letterOf(tenantId, each, now))
    await moveSchedule(tx, name, due.upTo.toISOString())
    return { emitted: events.length, ticked: due.upTo }
  })
  if (emitted > 0) sequencerOf(database).ring([tenantId])
  return nextTick(times, ticked)
}

/** The event of one tick: `now` in its payload is the tick, so that whoever emits it emits the same. */
export function eventOfTick(schedule: ScheduleInForce, tick: Date): NewEvent | Unusable {
  const { eventType } = schedule
  const key = `${schedule.id}:${tick.toISOString()}`
  const unusable = (reason: 'expression_failed' | 'validation_failed', message: string): Unusable => ({
    ...{ reason, message, key, source: 'cron', eventType, origin: 'internal', eventId: null, body: null },
    request: { schedule: schedule.name, tick: tick.toISOString() },
  })
  try {
    const payload = renderJson(schedule.payload, { now: tick })
    if (!isJsonObject(payload)) return unusable('validation_failed', 'the payload is not an object')
    const event: NewEvent = { source: 'cron', eventType, payload, origin: 'internal', key }
    const [problem] = envelopeProblems(event)
    if (problem) return unusable('validation_failed', `\`${problem.field}\` ${problem.message}`)
    // The source is ours to give; types of the platform are not a tenant's.
    if (isReserved({ source: schedule.name, eventType })) return unusable('validation_failed', 'the type is reserved')
    return event
  } catch (error) {
    if (!(error instanceof ExpressionError)) throw error
    return unusable('expression_failed', error.message)
  }
}

function nameOf({ tenantId, id, times, missed }: ScheduleInForce): string {
  return JSON.stringify([tenantId, id, times, missed])
}

async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(milliseconds, undefined, { signal })
  } catch (error) {
    if ((error as Error).name !== 'AbortError') throw error
  }
}
