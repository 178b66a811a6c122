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
  const clock = localClock(hours.timeZone)
  return (nowMs) => {
    const { day, minute } = clock(nowMs)
    return open[day * minutesADay + minute] === 1
  }
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

interface LocalTime {
  /** 0 is Sunday. */
  readonly day: number
  readonly minute: number
}

const clocks = new Map<string, (nowMs: number) => LocalTime>()

/** Local time of a zone. Making a formatter costs 50 µs and asking it 2 µs, so both are kept, the answer for its minute. */
function localClock(timeZone: string): (nowMs: number) => LocalTime {
  const known = clocks.get(timeZone)
  if (known !== undefined) return known
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone,
    weekday: 'short',
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
  })
  let lastMinute = Number.NaN
  let last: LocalTime = { day: 0, minute: 0 }
  const clock = (nowMs: number): LocalTime => {
    // Every zone's offset changes on a whole minute of UTC.
    const utcMinute = Math.floor(nowMs / 60_000)
    if (utcMinute !== lastMinute) {
      last = localTime(format.formatToParts(nowMs))
      lastMinute = utcMinute
    }
    return last
  }
  clocks.set(timeZone, clock)
  return clock
}

function localTime(parts: readonly Intl.DateTimeFormatPart[]): LocalTime {
  const part = (type: string) => parts.find((each) => each.type === type)?.value ?? ''
  const day = days.indexOf(part('weekday').toLowerCase() as (typeof days)[number])
  return { day, minute: Number(part('hour')) * 60 + Number(part('minute')) }
}

function minuteOfDay(text: string): number {
  const match = /^(\d{2}):(\d{2})$/.exec(text)
  const minute = match === null ? Number.NaN : Number(match[1]) * 60 + Number(match[2])
  if (!(minute <= minutesADay)) throw new Error(`\`${text}\` is no time of day`)
  return minute
}
