import { hash } from 'node:crypto'
import { digestBytes } from '../domain/digest.ts'
import type { NewEvent } from '../domain/envelope.ts'
import type { Json } from '../domain/json.ts'

/** A payload as its JSON text: what text columns could not hold (U+0000, half a surrogate pair) is escaped in it. */
export function payloadBytes(payload: Json): Buffer {
  return Buffer.from(JSON.stringify(payload), 'utf8')
}

/**
 * What an idempotency key stands for: SHA-256 of type and payload, whatever the order of members and the white space they
 * came in. Not the canonical JSON of receipts, which refuses half a surrogate pair.
 */
export function contentDigest(event: Pick<NewEvent, 'eventType' | 'payload'>): Buffer {
  return hash('sha256', JSON.stringify([event.eventType, sorted(event.payload)]), 'buffer')
}

/** A key as the log keeps it: one that is longer than a key may be is its digest. */
export function eventKey(key: string): string {
  return key.length > 255 ? digestBytes(key) : key
}

function sorted(value: Json): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  // A list of pairs: an object would put members that look like numbers first, and treat `__proto__` apart.
  return {
    m: Object.entries(value)
      .sort(byName)
      .map(([name, member]) => [name, sorted(member as Json)]),
  }
}

function byName([a]: [string, unknown], [b]: [string, unknown]): number {
  return a < b ? -1 : a > b ? 1 : 0
}
