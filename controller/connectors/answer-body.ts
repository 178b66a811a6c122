import type { Json } from '../domain/json.ts'
import type { Headers } from './egress/send.ts'

/** A body as what it says it is; `unparsable` when it is not that. */
export type AnswerBody =
  | { readonly kind: 'parsed'; readonly body: Json }
  | { readonly kind: 'unparsable'; readonly reason: string }

/** JSON where the answer says so or the tool expects it, else its text. An empty body is null. */
export function parseBody(headers: Headers, bytes: Buffer, expectsJson: boolean): AnswerBody {
  const encoding = headers['content-encoding']
  if (encoding !== undefined && encoding !== 'identity') {
    // We ask for none: what a compressed answer unfolds to has no bound.
    return { kind: 'unparsable', reason: 'it is compressed, and was asked not to be' }
  }
  if (bytes.length === 0) return { kind: 'parsed', body: null }
  const text = textOf(bytes)
  if (text === null) return { kind: 'unparsable', reason: 'it is not UTF-8' }
  const saysJson = /^application\/(?:[\w.+-]+\+)?json\b/i.test(headers['content-type'] ?? '')
  if (!saysJson && !expectsJson) return { kind: 'parsed', body: text }
  try {
    return { kind: 'parsed', body: JSON.parse(text) as Json }
  } catch {
    return { kind: 'unparsable', reason: 'it is not JSON' }
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true })

function textOf(bytes: Buffer): string | null {
  try {
    return utf8.decode(bytes)
  } catch {
    return null
  }
}
