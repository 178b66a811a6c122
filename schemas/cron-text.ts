const cronNames = {
  month: ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'],
  weekday: ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'],
}
const cronFields = [
  { from: 0, to: 59, names: [], namesFrom: 0 },
  { from: 0, to: 23, names: [], namesFrom: 0 },
  { from: 1, to: 31, names: [], namesFrom: 0 },
  { from: 1, to: 12, names: cronNames.month, namesFrom: 1 },
  { from: 0, to: 7, names: cronNames.weekday, namesFrom: 0 },
] as const

/** Whether a text is a cron expression of five fields: numbers, names, ranges, lists and steps. */
export function isCron(text: string): boolean {
  if (text.length > 256) return false
  const parts = text.trim().split(/[ \t]+/)
  return parts.length === 5 && parts.every((part, index) => part.split(',').every((step) => isCronStep(step, index)))
}

function isCronStep(text: string, index: number): boolean {
  const found = /^(\*|[0-9a-z]{1,3}(?:-[0-9a-z]{1,3})?)(?:\/([1-9]\d?))?$/.exec(text.toLowerCase())
  if (found === null) return false
  const [range = '', every] = found.slice(1)
  if (range === '*') return true
  const [low, high] = range.split('-').map((value) => cronNumber(value, index))
  if (low === null || low === undefined || high === null) return false
  if (high === undefined) return every === undefined
  return low <= high
}

function cronNumber(text: string, index: number): number | null {
  const field = cronFields[index]!
  const named = (field.names as readonly string[]).indexOf(text)
  if (named >= 0) return named + field.namesFrom
  if (!/^\d{1,2}$/.test(text)) return null
  const number = Number(text)
  return number >= field.from && number <= field.to ? number : null
}
