import type { Method } from '../api/route.ts'

/** What a request says beside its route. Parameters of the path are given as they are: a door writes them into it. */
export interface Asked {
  readonly params?: { readonly [name: string]: string }
  readonly query?: { readonly [name: string]: string | number | boolean | null | undefined }
  readonly body?: object
  /** Bytes instead of a body, with what they are. */
  readonly raw?: { readonly bytes: Buffer; readonly contentType: string; readonly key: string | null }
}

/** The shape of every list; a door has followed its pages. */
export interface List<T> {
  readonly object: 'list'
  readonly data: readonly T[]
  readonly has_more: boolean
  readonly next_cursor: string | null
}

/**
 * The one way a command reaches a deployment: routes of the API, asked by their method and path as the document writes
 * them (`GET /v1/actions/{id}`).
 *
 * Two implementations, and a test that runs every command through both: the engine of this process, and a server. Each
 * promises: what is answered is what the route answers, as JSON has it; a failure is a `FibricError` with the code, hint
 * and details of the route's error; a list is whole.
 */
export interface Door {
  ask<T>(method: Method, route: string, asked?: Asked): Promise<T>
  /** Every page of a list; `limit` of its items, or all. */
  list<T>(route: string, asked?: Asked, limit?: number | null): Promise<List<T>>
  /** The data of server-sent events as they come, until `signal` aborts. */
  follow<T>(route: string, asked: Asked, signal: AbortSignal): AsyncGenerator<T>
}

export function listOfAll<T>(data: readonly T[]): List<T> {
  return { object: 'list', data, has_more: false, next_cursor: null }
}

/** One piece of a stream of server-sent events. */
export interface ServerSent {
  readonly id: string | null
  readonly data: string | null
}

/** Reads server-sent events out of text as it comes, however it is cut. */
export async function* serverSent(chunks: AsyncIterable<string>): AsyncGenerator<ServerSent> {
  let rest = ''
  for await (const chunk of chunks) {
    const blocks = (rest + chunk).split('\n\n')
    rest = blocks.pop()!
    for (const block of blocks) yield pieceOf(block)
  }
}

function pieceOf(block: string): ServerSent {
  const fields = new Map<string, string[]>()
  for (const line of block.split('\n')) {
    const match = /^([a-z]+): ?(.*)$/.exec(line)
    if (match) fields.set(match[1]!, [...(fields.get(match[1]!) ?? []), match[2]!])
  }
  return { id: fields.get('id')?.at(-1) ?? null, data: fields.get('data')?.join('\n') ?? null }
}
