/**
 * How PostgreSQL's values read in JavaScript, decided once:
 *
 * int8 is a number, or an error past 2^53; numeric stays text, for a price must not become a float; timestamptz is
 * the ISO 8601 text that `Date.toISOString` would write (six digits only where the instant has microseconds), so
 * that what JavaScript wrote reads back equal; date and timestamp stay as they are written.
 */
export const scalarParsers: ReadonlyMap<number, (text: string) => unknown> = new Map([
  [20, safeInteger],
  [1700, asWritten],
  [1184, isoInstant],
  [1082, asWritten],
  [1114, asWritten],
])

/** The same by the type's array, element by element. */
export const arrayParsers: ReadonlyMap<number, (text: string) => unknown> = new Map([
  [1016, safeInteger],
  [1231, asWritten],
  [1185, isoInstant],
  [1182, asWritten],
  [1115, asWritten],
])

function safeInteger(text: string): unknown {
  const value = Number(text)
  if (!Number.isSafeInteger(value)) throw new RangeError(`int8 ${text} does not fit a number`)
  return value
}

function asWritten(text: string): unknown {
  return text
}

const instantShape = /^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?\+00$/

function isoInstant(text: string): unknown {
  const parts = instantShape.exec(text)
  // Every connection runs in UTC: another shape is infinity, a year past 9999, or a session whose zone was changed.
  if (parts === null) throw new RangeError(`timestamptz ${text} has no ISO form in UTC`)
  const digits = parts[3] ?? ''
  const fraction = digits.padEnd(digits.length <= 3 ? 3 : 6, '0')
  return `${parts[1]}T${parts[2]}.${fraction}Z`
}
