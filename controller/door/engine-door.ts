import { parseJson } from '../api/body.ts'
import { requireAccess } from '../api/credentials.ts'
import type { Page } from '../api/cursor.ts'
import {
  Answer,
  type ApiContext,
  type Call,
  type Handler,
  type Method,
  type Operation,
  type RouteGroup,
  Streamed,
} from '../api/route.ts'
import { objectOf, validatorOf } from '../api/validation.ts'
import { FibricError } from '../domain/errors.ts'
import type { JsonObject } from '../domain/json.ts'
import type { Engine } from '../engine.ts'
import { type Asked, type Door, type List, listOfAll, serverSent } from './door.ts'

/** Each page of a list in one process: large enough that there are few, small enough that none is a burden. */
const pageSize = 1000

/** The routes of the API over the engine of this process: no server, no port, the same handlers. */
export function engineDoor(engine: Engine, directory: string | null = null): Door {
  const handle = async (
    operation: Operation,
    asked: Asked,
    more: { readonly cursor?: string; readonly pageSize?: number; readonly signal?: AbortSignal } = {},
  ): Promise<Awaited<ReturnType<Handler>>> => {
    requireAccess(engine.actor, operation.scope)
    return operation.handler(callOf(engine, operation, asked, more))
  }
  const find = (method: Method, route: string): Promise<Operation> => operationOf(engine, directory, method, route)
  return {
    async ask<T>(method: Method, route: string, asked: Asked = {}): Promise<T> {
      const operation = await find(method, route)
      const answer = asJson(await handle(operation, asked)) as T
      if (operation.url === '/v1/events' && method === 'POST') await settle(engine)
      return answer
    },
    async list<T>(route: string, asked: Asked = {}, limit: number | null = null): Promise<List<T>> {
      const operation = await find('GET', route)
      const data: T[] = []
      for (let cursor: string | null = null; ; ) {
        const size = Math.min(pageSize, (limit ?? Number.POSITIVE_INFINITY) - data.length)
        if (size <= 0) return listOfAll(data)
        const more = { pageSize: size, ...(cursor !== null && { cursor }) }
        const page = asJson(await handle(operation, asked, more)) as Page<T>
        data.push(...page.data)
        cursor = page.next_cursor
        if (cursor === null) return listOfAll(limit === null ? data : data.slice(0, limit))
      }
    },
    async *follow<T>(route: string, asked: Asked, signal: AbortSignal): AsyncGenerator<T> {
      const answer = await handle(await find('GET', route), asked, { signal })
      if (!(answer instanceof Streamed)) throw new FibricError('INTERNAL', `\`${route}\` is no stream`)
      for await (const { data } of serverSent(textOf(answer.chunks))) if (data !== null) yield JSON.parse(data) as T
    },
  }
}

/** Groups by the first words of their paths, two or one: a command loads what it asks, and no more of the engine than that. */
const groups: { readonly [words: string]: () => Promise<RouteGroup> } = {
  actions: async () => (await import('../api/routes/actions.ts')).actionRoutes,
  alerts: async () => (await import('../api/routes/alerts.ts')).alertRoutes,
  config: async () => (await import('../api/routes/config.ts')).configRoutes,
  'config/apply': changes,
  'config/files': changes,
  'config/plan': changes,
  'config/webhook': changes,
  'config/resources': async () => (await import('../api/routes/resources.ts')).resourceRoutes,
  connections: async () => (await import('../api/routes/connections.ts')).connectionRoutes,
  events: async () => (await import('../api/routes/events.ts')).eventRoutes,
  gateways: async () => (await import('../api/routes/gateways.ts')).gatewayRoutes,
  guardrails: async () => (await import('../api/routes/guardrails.ts')).guardrailRoutes,
  models: async () => (await import('../api/routes/models.ts')).modelRoutes,
  operators: async () => (await import('../api/routes/operators.ts')).operatorRoutes,
  plans: async () => (await import('../api/routes/plans.ts')).planRoutes,
  platform: async () => (await import('../api/routes/platform.ts')).platformRoutes,
  receipts: async () => (await import('../api/routes/receipts.ts')).receiptRoutes,
  stops: async () => (await import('../api/routes/stops.ts')).stopRoutes,
  tenant: async () => (await import('../api/routes/tenant.ts')).tenantRoutes,
  'tenant/secrets': async () => (await import('../api/routes/secrets.ts')).secretRoutes,
  trace: async () => (await import('../api/routes/trace.ts')).traceRoutes,
}

async function changes(): Promise<RouteGroup> {
  return (await import('../api/routes/changes.ts')).changeRoutes
}

/** The group a route is of; null where no command asks it. A test holds this against the document. */
export async function groupOf(route: string): Promise<RouteGroup | null> {
  const [, , first = '', second = ''] = route.split('/')
  const load = groups[`${first}/${second}`] ?? groups[first]
  return load ? load() : null
}

async function operationOf(
  engine: Engine,
  directory: string | null,
  method: Method,
  route: string,
): Promise<Operation> {
  const operations: Operation[] = []
  const group = await groupOf(route)
  group?.register({ add: (operation) => void operations.push(operation) }, contextOf(engine, directory))
  const operation = operations.find((each) => each.method === method && each.url === route)
  if (operation) return operation
  throw new FibricError('INTERNAL', `no route is \`${method} ${route}\``)
}

function contextOf(engine: Engine, directory: string | null): ApiContext {
  const unserved = () => new FibricError('INTERNAL', 'no request came over HTTP')
  return {
    engine,
    directory,
    push: null,
    authenticate: () => Promise.reject(unserved()),
    engineFor: (actor) => ({ ...engine, actor }),
  }
}

function callOf(
  engine: Engine,
  operation: Operation,
  { params = {}, query = {}, body, raw }: Asked,
  more: { readonly cursor?: string; readonly pageSize?: number; readonly signal?: AbortSignal },
): Call {
  const given = Object.fromEntries(Object.entries(query).filter(([, value]) => value !== null && value !== undefined))
  const asked = { ...given, ...(more.cursor !== undefined && { cursor: more.cursor }) }
  check(objectOf(operation.params, Object.keys(operation.params)), 'params', params)
  check(objectOf(operation.query, operation.queryRequired), 'querystring', asked)
  // Through text and back, as over a wire: nothing that JSON would not carry reaches a route.
  const sent = body === undefined ? {} : (parseJson(Buffer.from(JSON.stringify(body))) as JsonObject)
  if (operation.body !== null && !operation.rawBody) check(operation.body, 'body', sent)
  return {
    engine,
    actor: engine.actor,
    hostTenantId: null,
    requestId: 'local',
    body: sent,
    query: asked as Call['query'],
    params,
    headers: raw ? { 'content-type': raw.contentType, 'idempotency-key': raw.key ?? undefined } : {},
    raw: raw?.bytes ?? Buffer.alloc(0),
    signal: more.signal ?? new AbortController().signal,
    route: operation.url,
    once: null,
    pageSize: more.pageSize ?? null,
  }
}

function check(schema: Operation['query'] | object, part: string, value: unknown): void {
  const checked = validatorOf(schema as never, part)(value)
  if (checked !== true) throw checked.error
}

function asJson(value: Awaited<ReturnType<Handler>>): unknown {
  if (value instanceof Streamed) throw new FibricError('INTERNAL', 'a stream is followed, not asked')
  const body = value instanceof Answer ? value.body : value
  return JSON.parse(JSON.stringify(body)) as unknown
}

/** An event that was sent has its position when the command ends: nobody else may be there to give it one. */
async function settle(engine: Engine): Promise<void> {
  const { settleEvents } = await import('../operations/events.ts')
  await settleEvents(engine)
}

async function* textOf(chunks: AsyncIterable<string | Uint8Array>): AsyncGenerator<string> {
  for await (const chunk of chunks) yield typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString('utf8')
}
