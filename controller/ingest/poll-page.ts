import { ExpressionError, type ExpressionNames } from '../domain/expression.ts'
import { isJsonObject, type Json } from '../domain/json.ts'
import { type PollCursor, PollError, type PollItem } from '../domain/poll.ts'
import { parseTemplate, renderTemplate, type TemplatePlace } from '../domain/template.ts'
import { eventKey } from './content.ts'
import { parseExactJson } from './exact-json.ts'
import type { Poll, PollAnswer } from './poll-source.ts'

export interface PollPage {
  readonly items: readonly PollItem[]
  readonly next: string | null
}

/** The items of an answer, each with its place and its key. Throws a `PollError` where the answer does not hold them. */
export function readPage(
  poll: Poll,
  answer: PollAnswer & { readonly kind: 'answered' },
  cursor: PollCursor | null,
): PollPage {
  const { event } = poll
  const response = {
    status: answer.status,
    headers: answer.redact(answer.headers),
    body: answer.redact(bodyOf(poll, answer.body)),
  }
  const asked = { cursor: { value: cursor?.value ?? null, tie: cursor?.tie ?? null }, response }
  const names = { config: poll.config, ingest: ingestOf(poll), ...asked }
  const items = rendered(event.items, names, 'items')
  if (!Array.isArray(items)) throw new PollError('`items` is no list', 'MappingFailed')
  const pages = isJsonObject(event.pages) ? event.pages : null
  return {
    items: items.map((item: Json) => itemOf(poll, { ...names, item }, { item, asked })),
    next: pages === null ? null : nextOf(rendered(pages.next, names, 'pages.next')),
  }
}

/** Where the connection's webhooks would come in: in scope wherever an event is described. */
export function ingestOf({ slug, connection, eventType }: Pick<Poll, 'slug' | 'connection' | 'eventType'>) {
  return { url: `/v1/t/${slug}/ingest/${connection}/${eventType}` }
}

function bodyOf(poll: Poll, body: Buffer): Json {
  if (body.length === 0) return null
  try {
    return parseExactJson(body, poll.event.bigNumbers === 'string' ? 'string' : 'refuse')
  } catch (error) {
    throw new PollError(`the answer cannot be read: ${(error as Error).message}`, 'MappingFailed')
  }
}

function itemOf(poll: Poll, names: ExpressionNames, brought: Pick<PollItem, 'item' | 'asked'>): PollItem {
  const { event } = poll
  const value = rendered(event.cursor, names, 'cursor')
  if (typeof value !== 'string' && typeof value !== 'number') {
    throw new PollError('an item has no `cursor` that is a text or a number', 'CursorUnusable')
  }
  const tie = event.tieBreak === undefined ? null : rendered(event.tieBreak, names, 'tieBreak')
  const key = String(rendered(event.idempotencyKey, names, 'idempotencyKey', 'key'))
  if (key === '') throw new PollError('an item has an empty `idempotencyKey`', 'MappingFailed')
  return { cursor: { value, tie }, key: eventKey(key), ...brought }
}

/** A link of RFC 8288 with `rel="next"`, else the text itself; null at the end. */
function nextOf(value: Json): string | null {
  if (value === null || value === '' || value === false) return null
  if (typeof value !== 'string') throw new PollError('`pages.next` is no text', 'MappingFailed')
  if (!value.startsWith('<')) return value
  return /<([^>]*)>\s*;[^,]*\brel="?next"?/.exec(value)?.[1] ?? null
}

function rendered(
  template: Json | undefined,
  names: ExpressionNames,
  field: string,
  place: TemplatePlace = 'json',
): Json {
  const parsed = parseTemplate(String(template))
  try {
    if ('problem' in parsed) throw new ExpressionError(parsed.problem)
    return renderTemplate(parsed.parts, names, place)
  } catch (error) {
    if (!(error instanceof ExpressionError)) throw error
    throw new PollError(`\`${field}\`: ${error.message}`, 'MappingFailed')
  }
}
