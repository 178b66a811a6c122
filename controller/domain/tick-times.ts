import { Cron } from 'croner'
import { parseDurationMs } from './duration.ts'

/** When something runs by the clock: at every multiple of an interval, or as a cron expression says. */
export interface TickTimes {
  readonly every: string | null
  readonly cron: string | null
  readonly timeZone: string | null
}

export type Missed = 'skip' | 'once' | 'all'

/** The ticks after one moment and up to another, oldest first; at most `max` of them. */
export function ticksBetween(times: TickTimes, after: Date, upTo: Date, max: number): Date[] {
  const ticks: Date[] = []
  for (let next = nextTick(times, after); next !== null && next <= upTo && ticks.length < max; ) {
    ticks.push(next)
    next = nextTick(times, next)
  }
  return ticks
}

/** The last tick after one moment and up to another; null when there is none. */
export function lastTick(times: TickTimes, after: Date, upTo: Date): Date | null {
  if (times.every !== null) {
    const tick = lastMultiple(times.every, upTo)
    return tick !== null && tick > after ? tick : null
  }
  // Looked for from the end: whoever comes back after a year need not count its minutes.
  for (const reachMs of reachesMs) {
    const from = new Date(Math.max(after.getTime(), upTo.getTime() - reachMs))
    const last = lastOf(times, from, upTo)
    if (last !== null || from.getTime() === after.getTime()) return last
  }
  return null
}

/** The first tick after a moment; null when there is none ever. */
export function nextTick({ every, cron, timeZone }: TickTimes, after: Date): Date | null {
  if (every !== null) {
    const stepMs = parseDurationMs(every) ?? 0
    return stepMs > 0 ? new Date((Math.floor(after.getTime() / stepMs) + 1) * stepMs) : null
  }
  return cron === null ? null : new Cron(cron, { paused: true, timezone: timeZone ?? 'UTC' }).nextRun(after)
}

/** A tick this long ago is one that nobody was there for. */
const onTimeMs = 60_000
const allMax = 1000

/** Which ticks are made up for, and the one up to which everything is then done with; null where nothing is due. */
export function dueTicks(
  times: TickTimes,
  since: Date,
  now: Date,
  missed: Missed,
): { readonly ticks: readonly Date[]; readonly upTo: Date } | null {
  const last = lastTick(times, since, now)
  if (last === null) return null
  switch (missed) {
    case 'skip':
      return { ticks: now.getTime() - last.getTime() <= onTimeMs ? [last] : [], upTo: last }
    case 'once':
      return { ticks: [last], upTo: last }
    case 'all': {
      const ticks = ticksBetween(times, since, now, allMax)
      return { ticks, upTo: ticks.at(-1)! }
    }
  }
}

const dayMs = 86_400_000
const reachesMs = [3_600_000, dayMs, 32 * dayMs, 366 * dayMs, 30 * 366 * dayMs]

function lastOf(times: TickTimes, after: Date, upTo: Date): Date | null {
  let last: Date | null = null
  for (let next = nextTick(times, after); next !== null && next <= upTo; next = nextTick(times, next)) last = next
  return last
}

function lastMultiple(every: string, upTo: Date): Date | null {
  const stepMs = parseDurationMs(every) ?? 0
  return stepMs > 0 ? new Date(Math.floor(upTo.getTime() / stepMs) * stepMs) : null
}
