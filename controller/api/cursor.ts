import { createHmac, timingSafeEqual } from 'node:crypto'
import { digestJson } from '../domain/digest.ts'
import { FibricError } from '../domain/errors.ts'
import type { Json } from '../domain/json.ts'
import type { Engine } from '../engine.ts'
import type { Call, Operation, Schema } from './route.ts'

/** A page of a list, newest first unless the route says otherwise. */
export interface Page<T> {
  readonly object: 'list'
  readonly data: readonly T[]
  readonly has_more: boolean
  readonly next_cursor: string | null
}

/** What every list takes beside its filters. */
export const pageQuery: Operation['query'] = {
  limit: { type: 'integer', minimum: 1, maximum: 100, description: 'how many, 20 unless said' },
  cursor: { type: 'string', minLength: 1, maxLength: 1000, description: '`next_cursor` of the page before' },
}

export function listOf(item: Schema): Schema {
  return {
    type: 'object',
    required: ['object', 'data', 'has_more', 'next_cursor'],
    properties: {
      object: { const: 'list' },
      data: { type: 'array', items: item },
      has_more: { type: 'boolean' },
      next_cursor: { type: ['string', 'null'] },
    },
  }
}

/**
 * Reads one page. `read` gets where to go on (null: at the beginning) and how many are wanted, and answers them;
 * `positionOf` says where the page after an item begins. A cursor is bound to the caller's domain, the route and its
 * filters.
 */
export async function pageOf<T, Shown>(
  call: Call,
  filters: Json,
  list: {
    readonly read: (after: string | null, count: number) => Promise<readonly T[]>
    readonly positionOf: (item: T) => string
    readonly show: (item: T) => Shown
  },
): Promise<Page<Shown>> {
  const limit = call.pageSize ?? Number(call.query.limit ?? 20)
  const bound = digestJson([call.route, call.actor.tenantId, filters])
  const cursor = call.query.cursor === undefined ? null : String(call.query.cursor)
  const after = cursor === null ? null : openCursor(call.engine, bound, cursor)
  // One more than asked for tells whether there is more.
  const items = await list.read(after, limit + 1)
  const shown = items.slice(0, limit)
  const hasMore = items.length > limit
  return {
    object: 'list',
    data: shown.map(list.show),
    has_more: hasMore,
    next_cursor: hasMore ? makeCursor(call.engine, bound, list.positionOf(shown.at(-1)!)) : null,
  }
}

/** A page of what is at hand as a whole, in its order; `keyOf` rises with it. Who takes large pages gets all of it. */
export function pageOfAll<T, Shown>(
  call: Call,
  filters: Json,
  all: readonly T[],
  keyOf: (item: T) => string,
  show: (item: T) => Shown,
): Promise<Page<Shown>> {
  return pageOf(call.pageSize === null ? call : { ...call, pageSize: all.length }, filters, {
    read: async (after, count) => {
      const rest = after === null ? all : all.filter((item) => keyOf(item) > after)
      return rest.slice(0, count)
    },
    positionOf: keyOf,
    show,
  })
}

const tagSizeBytes = 16

function makeCursor(engine: Engine, bound: string, position: string): string {
  return Buffer.concat([tagOf(engine, bound, position), Buffer.from(position, 'utf8')]).toString('base64url')
}

function openCursor(engine: Engine, bound: string, cursor: string): string {
  const bytes = Buffer.from(cursor, 'base64url')
  const position = bytes.subarray(tagSizeBytes).toString('utf8')
  const tag = bytes.subarray(0, tagSizeBytes)
  if (tag.length === tagSizeBytes && timingSafeEqual(tag, tagOf(engine, bound, position))) return position
  throw new FibricError('INVALID_CURSOR', 'the cursor is none that this list gave out for these filters', {
    hint: 'begin without a cursor, and keep the filters while you follow the pages',
  })
}

function tagOf(engine: Engine, bound: string, position: string): Buffer {
  const key = engine.database.rootKey!.deriveSecret('api cursors')
  return createHmac('sha256', key).update(`${bound}\n${position}`).digest().subarray(0, tagSizeBytes)
}
