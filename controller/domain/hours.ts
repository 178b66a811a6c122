import { localTime } from './local-time.ts'
import type { Hours } from './rules.ts'

const days = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'] as const
const minutesADay = 24 * 60

/** Whether an instant lies within the hours, in their time zone. */
export type WithinHours = (nowMs: number) => boolean

/**
 * Compiles opening hours; throws when the zone or a time cannot be read. `to` is the first minute after. Hours that end
 * before they begin run past midnight and belong to the day they began on; hours that end when they begin are none.
 */
export function compileHours(hours: Hours): WithinHours {
  const open = openMinutes(hours)
  const clock = weekClock(hours.timeZone)
  return (nowMs) => open[clock(nowMs)] === 1
}

/** The minutes of a local week, counted from Sunday's midnight: 1 where the hours take them in. */
export function openMinutes(hours: Hours): Uint8Array {
  const from = minuteOfDay(hours.from)
  const to = minuteOfDay(hours.to)
  const length = to >= from ? to - from : to + minutesADay - from
  const open = new Uint8Array(7 * minutesADay)
  for (const name of hours.days ?? days) {
    const day = days.indexOf(name as (typeof days)[number])
    if (day < 0) throw new Error(`unknown day \`${name}\``)
    for (let minute = 0; minute < length; minute++) open[(day * minutesADay + from + minute) % open.length] = 1
  }
  return open
}

/** The minute of the local week. An answer is kept for its minute of UTC: every zone's offset changes on one. */
function weekClock(timeZone: string): (nowMs: number) => number {
  localTime(0, timeZone)
  let lastMinute = Number.NaN
  let last = 0
  return (nowMs) => {
    const utcMinute = Math.floor(nowMs / 60_000)
    if (utcMinute !== lastMinute) {
      const { day, hours, minutes } = localTime(nowMs, timeZone)
      last = day * minutesADay + hours * 60 + minutes
      lastMinute = utcMinute
    }
    return last
  }
}

function minuteOfDay(text: string): number {
  const match = /^(\d{2}):(\d{2})$/.exec(text)
  const minute = match === null ? Number.NaN : Number(match[1]) * 60 + Number(match[2])
  if (!(minute <= minutesADay)) throw new Error(`\`${text}\` is no time of day`)
  return minute
}
