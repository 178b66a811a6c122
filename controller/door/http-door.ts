import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Method } from '../api/route.ts'
import { type ErrorCode, errorCodes } from '../domain/error-codes.ts'
import { FibricError } from '../domain/errors.ts'
import { type Asked, type Door, type List, listOfAll, serverSent } from './door.ts'

/** A running controller, and the key it knows the caller by. */
export interface ServerAt {
  readonly url: string
  readonly token: string | null
}

const pageSizeMax = 100
/** How long a first request under the same key is waited for, and a server that is starting or full. */
const patienceMs = 120_000
const attemptsMax = 4

/**
 * The routes of the API of a server. What was not answered is asked again where that is safe: reads, and whatever goes
 * out under an idempotency key of its own, so that it is carried out once however often it is sent.
 */
export function httpDoor(server: ServerAt): Door {
  const base = baseOf(server.url)
  const token = tokenOf(server.token)
  const send = async (method: Method, route: string, asked: Asked, signal?: AbortSignal): Promise<Response> => {
    const key = asked.raw ? asked.raw.key : method === 'POST' ? randomUUID() : null
    const repeatable = method === 'GET' || (method === 'POST' && key !== null)
    const url = new URL(base + pathOf(route, asked))
    const until = performance.now() + patienceMs
    for (let attempt = 1; ; attempt++) {
      const isLast = !repeatable || attempt >= attemptsMax
      const answer = await tried(url, requestOf(token, method, asked, key, signal), isLast ? null : attempt)
      if (answer === null) continue
      if (answer.ok) return answer
      const waitMs = await waitFor(answer, repeatable && performance.now() < until, attempt)
      if (waitMs === null) throw await failureOf(answer, base)
      await sleep(waitMs, undefined, signal ? { signal } : {})
    }
  }
  const ask = async <T>(method: Method, route: string, asked: Asked = {}): Promise<T> =>
    (await jsonOf(await send(method, route, asked), base)) as T
  return {
    ask,
    async list<T>(route: string, asked: Asked = {}, limit: number | null = null): Promise<List<T>> {
      const data: T[] = []
      for (let cursor: string | null = null; ; ) {
        const size = Math.min(pageSizeMax, (limit ?? Number.POSITIVE_INFINITY) - data.length)
        if (size <= 0) return listOfAll(data)
        const query = { ...asked.query, limit: size, cursor }
        const page: List<T> = await ask<List<T>>('GET', route, { ...asked, query })
        data.push(...page.data)
        cursor = page.next_cursor
        if (cursor === null) return listOfAll(data)
      }
    },
    async *follow<T>(route: string, asked: Asked, signal: AbortSignal): AsyncGenerator<T> {
      let last: string | null = null
      for (let again = false; !signal.aborted; again = true) {
        try {
          // A stream that ended goes on where it was; one that gives out no positions cannot.
          if (again && last === null) throw new FibricError('SERVER_UNREACHABLE', 'the server ended the stream')
          if (again) await sleep(500, undefined, { signal })
          const query = last === null ? asked.query : { ...asked.query, after: last }
          const answer = await send('GET', route, { ...asked, ...(query && { query }) }, signal)
          for await (const { id, data } of serverSent(textOf(answer))) {
            last = id ?? last
            if (data !== null) yield JSON.parse(data) as T
          }
        } catch (error) {
          if (signal.aborted) return
          if (error instanceof FibricError || last === null) throw error
        }
      }
    },
  }
}

function baseOf(text: string): string {
  const url = URL.parse(text)
  if (url && (url.protocol === 'https:' || url.protocol === 'http:') && url.search === '' && url.username === '') {
    return `${url.origin}${url.pathname.replace(/\/(?:v1\/?)?$/, '')}`
  }
  throw new FibricError('USAGE', `\`${text}\` is no address of a server`, {
    hint: 'write it like https://fibric.example.com or http://localhost:4310',
  })
}

function pathOf(route: string, { params = {}, query = {} }: Asked): string {
  const path = route.replaceAll(/\{(\w+)\}/g, (_all, name: string) => encodeURIComponent(params[name] ?? ''))
  const given = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) {
    if (value !== null && value !== undefined) given.set(name, String(value))
  }
  const search = given.toString()
  return search === '' ? path : `${path}?${search}`
}

/** Whatever cannot stand in a header is refused here: an error of the HTTP client would repeat it. */
function tokenOf(text: string | null): string | null {
  const token = text?.trim() ?? null
  if (token === null || /^[\x21-\x7e]{1,512}$/.test(token)) return token
  throw new FibricError('KEY_INVALID', 'FIBRIC_TOKEN holds no API key', { hint: 'set it to one: sk_live_…' })
}

function requestOf(
  token: string | null,
  method: Method,
  { body, raw }: Asked,
  key: string | null,
  signal: AbortSignal | undefined,
): RequestInit {
  const headers: { [name: string]: string } = {
    accept: 'application/json, text/event-stream',
    ...(token !== null && { authorization: `Bearer ${token}` }),
    ...(key !== null && { 'idempotency-key': key }),
    ...(raw && { 'content-type': raw.contentType }),
    ...(body && { 'content-type': 'application/json' }),
  }
  const bytes = raw ? new Uint8Array(raw.bytes) : body ? JSON.stringify(body) : null
  // A redirect would carry the key to wherever it leads.
  return { method, headers, redirect: 'error', ...(bytes !== null && { body: bytes }), ...(signal && { signal }) }
}

/** The answer; null where none came and it is asked again after a while. `attempt` is null for the last one. */
async function tried(url: URL, request: RequestInit, attempt: number | null): Promise<Response | null> {
  try {
    return await fetch(url, request)
  } catch (cause) {
    if (request.signal?.aborted) throw cause
    if (attempt === null) {
      throw new FibricError('SERVER_UNREACHABLE', `\`${url.origin}\` does not answer: ${reasonOf(cause)}`, {
        hint: 'see that the controller runs and that FIBRIC_SERVER or --server names it',
        cause,
      })
    }
    await sleep(200 * 2 ** attempt)
    return null
  }
}

function reasonOf(error: unknown): string {
  const { cause } = error as { cause?: { code?: string; message?: string } }
  return cause?.code ?? cause?.message ?? 'no connection'
}

/** How long to wait before the same is asked again; null: the answer stands. */
async function waitFor(answer: Response, mayWait: boolean, attempt: number): Promise<number | null> {
  if (!mayWait) return null
  if (answer.status === 503 && attempt < attemptsMax) {
    await answer.body?.cancel()
    return Math.min(5, Number(answer.headers.get('retry-after') ?? 1)) * 1000
  }
  if (answer.status !== 409) return null
  const { error } = (await answer.clone().json()) as { error?: { code?: string } }
  return error?.code === 'request_in_progress' ? 250 : null
}

async function jsonOf(answer: Response, base: string): Promise<unknown> {
  const isJson = String(answer.headers.get('content-type')).startsWith('application/json')
  if (isJson) return answer.json()
  await answer.body?.cancel()
  throw notFibric(base)
}

function notFibric(base: string): FibricError {
  return new FibricError('SERVER_UNREACHABLE', `\`${base}\` does not answer as a fibric server does`, {
    hint: 'name the address of the controller, without /v1: https://fibric.example.com',
  })
}

/** The route's error as the engine of this process would have thrown it. */
async function failureOf(answer: Response, base: string): Promise<FibricError> {
  const { error } = (await jsonOf(answer, base)) as {
    error?: { code: string; message: string; request_id: string; details?: { hint?: string } }
  }
  if (typeof error?.code !== 'string') throw notFibric(base)
  const { hint, ...details } = error.details ?? {}
  const inner = answer.status >= 500
  return new FibricError(codeOf(error.code), error.message, {
    details,
    ...(hint !== undefined && { hint }),
    ...(inner && { hint: `look for ${error.request_id} in the log of the server` }),
  })
}

function codeOf(code: string): ErrorCode {
  // The API says `invalid_parameter` of what a command line calls wrong usage; both end with 64.
  if (code === 'invalid_parameter') return 'USAGE'
  const name = code.toUpperCase()
  return name in errorCodes ? (name as ErrorCode) : 'INTERNAL'
}

async function* textOf(answer: Response): AsyncGenerator<string> {
  if (answer.body === null) return
  for await (const chunk of answer.body.pipeThrough(new TextDecoderStream())) yield chunk
}
