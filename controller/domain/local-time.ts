/** An instant as clocks and calendars of a time zone show it. */
export interface LocalTime {
  readonly year: number
  /** 0 is January. */
  readonly month: number
  /** Day of the month, from 1. */
  readonly date: number
  /** 0 is Sunday. */
  readonly day: number
  readonly hours: number
  readonly minutes: number
  readonly seconds: number
}

const formattersMax = 500
const formatters = new Map<string, Intl.DateTimeFormat>()

/** Local time of an IANA zone, whatever zone the process runs in. Throws when nobody knows the zone. */
export function localTime(instantMs: number, timeZone: string): LocalTime {
  const found: Record<string, string> = {}
  for (const { type, value } of formatterOf(timeZone).formatToParts(instantMs)) found[type] = value
  const [year, month, date] = [Number(found.year), Number(found.month) - 1, Number(found.day)]
  return {
    year,
    month,
    date,
    day: new Date(Date.UTC(year, month, date)).getUTCDay(),
    hours: Number(found.hour),
    minutes: Number(found.minute),
    seconds: Number(found.second),
  }
}

/** Days since the first of January. */
export function dayOfYear({ year, month, date }: LocalTime): number {
  return (Date.UTC(year, month, date) - Date.UTC(year, 0, 1)) / 86_400_000
}

/** Making a formatter costs fifty times what asking it does. */
function formatterOf(timeZone: string): Intl.DateTimeFormat {
  const known = formatters.get(timeZone)
  if (known !== undefined) return known
  const formatter = new Intl.DateTimeFormat('en-US', {
    timeZone,
    calendar: 'gregory',
    numberingSystem: 'latn',
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  })
  if (formatters.size >= formattersMax) formatters.delete(formatters.keys().next().value as string)
  formatters.set(timeZone, formatter)
  return formatter
}
