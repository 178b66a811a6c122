import type { Json } from './json.ts'

/** Whether text can be kept: no U+0000, which PostgreSQL refuses, and no half of a surrogate pair, which receipts do. */
export function isKeepable(text: string): boolean {
  return !text.includes('\0') && text.isWellFormed()
}

/** Whether every text of a value, names included, can be kept. */
export function isKeepableJson(value: Json): boolean {
  if (typeof value === 'string') return isKeepable(value)
  if (value === null || typeof value !== 'object') return true
  if (Array.isArray(value)) return value.every(isKeepableJson)
  return Object.entries(value).every(([name, item]) => isKeepable(name) && isKeepableJson(item))
}

/** Text with U+FFFD for what cannot be kept, at most `charactersMax` of it: for reasons that others worded. */
export function keepableText(text: string, charactersMax = 2000): string {
  const cut = text.length > charactersMax ? `${text.slice(0, charactersMax)}…` : text
  return cut.replaceAll('\0', '\uFFFD').toWellFormed()
}

/** A value with U+FFFD for what cannot be kept: for what is recorded of it, never for what is sent. */
export function keepableJson<T extends Json>(value: T): T {
  return isKeepableJson(value) ? value : (replaced(value) as T)
}

function replaced(value: Json): Json {
  if (typeof value === 'string') return keepableText(value, Number.POSITIVE_INFINITY)
  if (value === null || typeof value !== 'object') return value
  if (Array.isArray(value)) return value.map(replaced)
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [keepableText(name, Number.POSITIVE_INFINITY), replaced(item)]),
  )
}
