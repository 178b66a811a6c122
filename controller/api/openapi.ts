import { engineVersion } from '../domain/engine.ts'
import { FibricError } from '../domain/errors.ts'
import { rolesFor } from './credentials.ts'
import { apiCodes } from './failure.ts'
import { type ApiContext, type Operation, type RouteGroup, route, type Schema } from './route.ts'
import { healthRoutes } from './routes/health.ts'
import { routeGroups } from './routes.ts'
import { componentSchemas, ref } from './schemas.ts'
import { apiVersions } from './versions.ts'

/** `/v1/openapi.json`: the document of the very routes that are served. */
export const openApiRoutes: RouteGroup = {
  name: 'openapi',
  register(server) {
    let document: object | undefined
    route(server, {
      method: 'GET',
      url: '/v1/openapi.json',
      scope: 'public',
      summary: 'This document',
      response: { type: 'object' },
      async handler() {
        document ??= openApiDocument()
        return document
      },
    })
  },
}

/** Every route that a server serves, written down. */
export function allOperations(): Operation[] {
  const operations: Operation[] = []
  const add = (operation: Operation): void => void operations.push(operation)
  for (const group of everyGroup) group.register({ add }, described)
  return operations
}

/** OpenAPI 3.1, from the same schemas that requests are held against. */
export function openApiDocument(): JsonDocument {
  const paths: { [url: string]: { [method: string]: unknown } } = {}
  for (const operation of allOperations()) {
    const path = paths[operation.url] ?? {}
    paths[operation.url] = path
    path[operation.method.toLowerCase()] = describe(operation)
  }
  return {
    openapi: '3.1.0',
    jsonSchemaDialect: 'https://json-schema.org/draft/2020-12/schema',
    info: {
      title: 'Fibric',
      version: apiVersions.at(-1)!,
      description: `The API of a Fibric deployment (engine ${engineVersion}).`,
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    paths,
    components: {
      schemas: componentSchemas(),
      securitySchemes: { key: { type: 'http', scheme: 'bearer', description: 'an API key: sk_live_…' } },
      parameters,
      headers,
    },
    tags: [...new Set(allOperations().map(({ tag }) => tag))].map((name) => ({ name })),
  }
}

export interface JsonDocument {
  readonly paths: { readonly [url: string]: { readonly [method: string]: unknown } }
  readonly components: { readonly schemas: { readonly [name: string]: unknown }; readonly [part: string]: unknown }
  readonly [field: string]: unknown
}

const parameters = {
  IdempotencyKey: {
    name: 'Idempotency-Key',
    in: 'header',
    required: false,
    description:
      'The first answer under a key is the answer to every request with it, for seven days; another request under it is refused.',
    schema: { type: 'string', minLength: 1, maxLength: 255 },
  },
  FibricVersion: {
    name: 'Fibric-Version',
    in: 'header',
    required: false,
    description: 'Pins a revision of the API.',
    schema: { type: 'string', enum: apiVersions },
  },
}

const headers = {
  RequestId: { description: 'Names this request in the log and in errors.', schema: { type: 'string' } },
  RateLimit: { description: 'Requests a minute that the keys of the domain may make.', schema: { type: 'integer' } },
  RateRemaining: { description: 'What is left of them.', schema: { type: 'integer' } },
  RateReset: { description: 'When the next minute begins, in seconds of the epoch.', schema: { type: 'integer' } },
  RetryAfter: { description: 'Seconds to wait.', schema: { type: 'integer' } },
}

/** Nobody asks while routes are written down: only what they are counts. */
const described: ApiContext = {
  get engine(): never {
    throw unserved()
  },
  directory: null,
  push: null,
  authenticate: () => Promise.reject(unserved()),
  engineFor: () => {
    throw unserved()
  },
}

function unserved(): FibricError {
  return new FibricError('INTERNAL', 'a route was asked that is only described')
}

const everyGroup: readonly RouteGroup[] = [
  ...routeGroups,
  openApiRoutes,
  healthRoutes(() => true, { metrics: async () => '', contentType: 'text/plain; version=0.0.4; charset=utf-8' }),
]

function describe(operation: Operation): object {
  const { body, idempotent, scope, status } = operation
  const named = (place: 'path' | 'query', schemas: Operation['query'], required: readonly string[]) =>
    Object.entries(schemas).map(([name, { description, ...schema }]) => ({
      name,
      in: place,
      required: place === 'path' || required.includes(name),
      ...(description !== undefined && { description }),
      schema,
    }))
  return {
    operationId: operationId(operation),
    tags: [operation.tag],
    summary: operation.summary,
    ...(operation.description && { description: operation.description }),
    ...(scope === 'public' ? { security: [] } : { security: [{ key: [] }] }),
    'x-scope': scope,
    'x-roles': rolesFor(scope),
    parameters: [
      ...named('path', operation.params, []),
      ...named('query', operation.query, operation.queryRequired),
      ...(idempotent ? [{ $ref: '#/components/parameters/IdempotencyKey' }] : []),
      ...(operation.anyHost ? [] : [{ $ref: '#/components/parameters/FibricVersion' }]),
    ],
    ...((body || operation.rawBody) && {
      requestBody: {
        required: !operation.bodyOptional,
        content: operation.rawBody
          ? { '*/*': body ? { schema: body } : {} }
          : { 'application/json': { schema: body as Schema } },
      },
    }),
    responses: {
      [status]: {
        description: 'Done.',
        headers: headerRefs({ 'X-Request-Id': 'RequestId', ...(scope !== 'public' && rateHeaders) }),
        content: { [operation.produces]: { schema: operation.response } },
      },
      ...errorResponses(operation),
    },
  }
}

const rateHeaders = {
  'X-RateLimit-Limit': 'RateLimit',
  'X-RateLimit-Remaining': 'RateRemaining',
  'X-RateLimit-Reset': 'RateReset',
}

function headerRefs(names: { readonly [header: string]: string }): object {
  return Object.fromEntries(
    Object.entries(names).map(([header, name]) => [header, { $ref: `#/components/headers/${name}` }]),
  )
}

/** Which errors a route can answer, by what it takes and who may call it. */
function errorResponses(operation: Operation): object {
  const known = operation.scope !== 'public'
  const statuses = [
    400,
    ...(known ? [401, 403] : []),
    404,
    ...(operation.idempotent || operation.method === 'DELETE' ? [409] : []),
    ...(operation.body || operation.rawBody ? [413, 415, 422] : []),
    ...(known ? [429] : []),
    500,
    503,
  ]
  return Object.fromEntries(
    statuses.map((status) => [
      status,
      {
        description: codesOf(status),
        headers: headerRefs({
          'X-Request-Id': 'RequestId',
          ...((status === 429 || status === 503) && { 'Retry-After': 'RetryAfter' }),
        }),
        content: { 'application/json': { schema: ref('Error') } },
      },
    ]),
  )
}

function codesOf(wanted: number): string {
  return apiCodes()
    .filter(({ status }) => status === wanted)
    .map(({ code }) => `\`${code}\``)
    .join(', ')
}

/** `GET /v1/plans/{id}` → `get_plans_id`. */
function operationId({ method, url }: Operation): string {
  const words = url.split('/').filter((part) => part !== '' && part !== 'v1')
  return [method.toLowerCase(), ...words.map((word) => word.replaceAll(/\W+/g, ''))].join('_')
}
