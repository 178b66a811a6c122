import type { FieldSchema } from '../../schemas/field-schema.ts'
import { canonicalJson } from './canonical-json.ts'
import { parseDurationMs } from './duration.ts'
import { covers } from './glob-relations.ts'
import type { Json } from './json.ts'

/** How a value stands to the one before it: whether it is more of the field. */
export type Order = 'same' | 'more' | 'less' | 'incomparable'

/** Compares two values of one field that are not objects, as the schema orders them. */
export function compareValues(schema: FieldSchema, before: Json, after: Json): Order {
  if (canonicalJson(before) === canonicalJson(after)) return 'same'
  if (typeof before === 'boolean' && typeof after === 'boolean') return after ? 'more' : 'less'
  if (typeof before === 'number' && typeof after === 'number') return byRank(before, after)
  if (typeof before === 'string' && typeof after === 'string') return compareTexts(schema, before, after)
  if (Array.isArray(before) && Array.isArray(after)) return compareSets(schema, before, after)
  return 'incomparable'
}

/** Whether every item is covered by an item of `others`. */
export function coveredBy(schema: FieldSchema, items: readonly Json[], others: readonly Json[]): boolean {
  return items.every((item) => others.some((other) => itemCovers(schema.items, other, item)))
}

function compareTexts(schema: FieldSchema, before: string, after: string): Order {
  const order = schema['x-order']
  if (order !== undefined) {
    const [from, to] = [order.indexOf(before), order.indexOf(after)]
    return from < 0 || to < 0 ? 'incomparable' : byRank(from, to)
  }
  if (schema.format === 'glob') return compareGlobs(before, after)
  const rank = ranks[schema.format ?? '']
  if (rank === undefined) return 'incomparable'
  const [from, to] = [rank(before), rank(after)]
  return from === null || to === null ? 'incomparable' : byRank(from, to)
}

function compareGlobs(before: string, after: string): Order {
  const [grew, shrank] = [covers(after, before), covers(before, after)]
  if (grew && shrank) return 'same'
  return grew ? 'more' : shrank ? 'less' : 'incomparable'
}

function compareSets(schema: FieldSchema, before: readonly Json[], after: readonly Json[]): Order {
  const grew = coveredBy(schema, before, after)
  const shrank = coveredBy(schema, after, before)
  if (grew && shrank) return 'same'
  return grew ? 'more' : shrank ? 'less' : 'incomparable'
}

/** `*` in an enumeration stands for all of it; globs cover what they match. */
function itemCovers(schema: FieldSchema | undefined, wider: Json, narrower: Json): boolean {
  if (canonicalJson(wider) === canonicalJson(narrower)) return true
  if (typeof wider !== 'string' || typeof narrower !== 'string') return false
  if (schema?.enum?.includes('*') && wider === '*') return true
  return schema?.format === 'glob' && covers(wider, narrower)
}

function byRank(before: number, after: number): Order {
  return after > before ? 'more' : after < before ? 'less' : 'same'
}

/** Formats whose texts have an order. */
const ranks: { readonly [format: string]: (text: string) => number | null } = {
  duration: parseDurationMs,
  size: sizeBytes,
  rate: ratePerSecond,
  'date-time': (text) => finite(Date.parse(text)),
  date: (text) => finite(Date.parse(text)),
  'time-of-day': (text) => finite(Number(text.slice(0, 2)) * 60 + Number(text.slice(3, 5))),
}

function sizeBytes(text: string): number | null {
  const match = /^(\d+)(Ki|Mi|Gi|Ti)?$/.exec(text)
  return match === null ? null : Number(match[1]) * 1024 ** ['', 'Ki', 'Mi', 'Gi', 'Ti'].indexOf(match[2] ?? '')
}

function ratePerSecond(text: string): number | null {
  const match = /^(\d+)\/(s|m|h|d)$/.exec(text)
  return match === null
    ? null
    : Number(match[1]) / { s: 1, m: 60, h: 3600, d: 86_400 }[match[2] as 's' | 'm' | 'h' | 'd']
}

function finite(number: number): number | null {
  return Number.isFinite(number) ? number : null
}
