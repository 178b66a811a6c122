import { Readable } from 'node:stream'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { errorCodes } from '../domain/error-codes.ts'
import { FibricError } from '../domain/errors.ts'
import type { Json, JsonObject } from '../domain/json.ts'
import type { Actor } from '../tenancy/actor.ts'
import { isKeepable, parseJson, requireJson } from './body.ts'
import { admit, type Gatekeeper, nobody } from './credentials.ts'
import type { failureFor } from './failure.ts'
import type { Binding } from './hosts.ts'
import type { OnceOnly, Rendered } from './once.ts'
import { Answer, type ApiContext, type Call, type Operation, type Schema, Streamed } from './route.ts'
import { objectOf, validatorOf } from './validation.ts'

/** What the server knows of a request before its route is asked. */
export interface Settled {
  binding: Binding
  actor: Actor | null
}

export interface Pipeline {
  readonly context: ApiContext
  readonly keeper: Gatekeeper
  readonly once: OnceOnly
  readonly settled: WeakMap<FastifyRequest, Settled>
  /** Long answers under way: they are asked to end when the server is. */
  readonly streams: Set<AbortController>
  fail(error: unknown, request: FastifyRequest): ReturnType<typeof failureFor>
}

/** What a request to one route goes through: credential, body, schemas, idempotency key, handler, answer. */
export function install(fastify: FastifyInstance, pipeline: Pipeline, operation: Operation): void {
  fastify.route({
    method: operation.method,
    url: fastifyPath(operation.url),
    bodyLimit: operation.bodySizeMax,
    ...(operation.produces === 'text/event-stream' ? {} : { handlerTimeout: handlerTimeoutMs }),
    schema: {
      params: objectOf(operation.params, Object.keys(operation.params)),
      querystring: objectOf(operation.query, operation.queryRequired),
      headers: headerSchema,
      ...(operation.body && !operation.rawBody && { body: operation.body }),
    },
    validatorCompiler: ({ schema, httpPart }) => validatorOf(schema as Schema, httpPart ?? ''),
    onRequest: async (request, reply) => {
      if (operation.scope === 'public') return
      const settled = pipeline.settled.get(request)!
      settled.actor = await admit(pipeline.keeper, request, reply, operation, settled.binding)
    },
    preValidation: async (request) => {
      refuseUnkeepableText(request)
      if (!operation.rawBody) request.body = bodyOf(request, operation)
    },
    handler: (request, reply) => answer(pipeline, operation, request, reply),
  })
}

/** How Fastify writes the parameters of a path. */
function fastifyPath(url: string): string {
  return url.replaceAll(/\{(\w+)\}/g, ':$1')
}

/** Far beyond what any route takes: whoever waits longer is told, and what runs goes on to its end. */
const handlerTimeoutMs = 120_000

const headerSchema: Schema = {
  type: 'object',
  properties: { 'idempotency-key': { type: 'string', minLength: 1, maxLength: 255 } },
}

function refuseUnkeepableText(request: FastifyRequest): void {
  const texts = [...Object.values(request.params as object), ...Object.values(request.query as object)].flat()
  if (texts.every((text) => typeof text !== 'string' || isKeepable(text))) return
  throw new FibricError('INVALID_PARAMETER', 'a parameter holds U+0000 or half a surrogate pair')
}

function bodyOf(request: FastifyRequest, operation: Operation): Json | undefined {
  const bytes = request.body as Buffer | undefined
  if (bytes === undefined || bytes.length === 0) {
    if (operation.body === null) return undefined
    if (operation.bodyOptional) return {}
    throw new FibricError('INVALID_JSON', 'the request needs a body')
  }
  requireJson(request.headers['content-type'])
  const body = parseJson(bytes)
  if (operation.body === null && JSON.stringify(body) !== '{}') {
    throw new FibricError('VALIDATION_FAILED', 'this route takes no body')
  }
  return body
}

async function answer(
  pipeline: Pipeline,
  operation: Operation,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { actor } = pipeline.settled.get(request)!
  const stopping = new AbortController()
  // The socket's end, whichever way: an answer that is through needs no signal any more.
  reply.raw.once('close', () => stopping.abort())
  const call = callOf(pipeline, operation, request, stopping.signal)
  const key = request.headers['idempotency-key']
  if (operation.idempotent && typeof key === 'string') {
    const rendered = await pipeline.once.answer(
      {
        tenantId: actor!.tenantId,
        route: `${operation.method} ${operation.url}`,
        key,
        asked: [actor!.person, request.url, (request.body ?? null) as Json],
        requestId: request.id,
      },
      (once) => renderedWhatever(pipeline, operation, request, { ...call, once }),
    )
    return send(reply, rendered)
  }
  const value = await handled(pipeline, operation, request, call)
  if (value instanceof Streamed) return sendStream(pipeline, reply, value, stopping)
  return send(reply, render(value, operation))
}

function callOf(pipeline: Pipeline, operation: Operation, request: FastifyRequest, signal: AbortSignal): Call {
  const { binding, actor } = pipeline.settled.get(request)!
  const { headers } = request
  return {
    engine: pipeline.context.engineFor(actor ?? nobody),
    actor: actor ?? nobody,
    hostTenantId: binding.kind === 'tenant' ? binding.tenantId : null,
    requestId: request.id,
    body: Buffer.isBuffer(request.body) ? {} : ((request.body ?? {}) as JsonObject),
    query: request.query as Call['query'],
    params: request.params as Call['params'],
    headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, [value].flat().join(', ')])),
    raw: Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0),
    signal,
    route: operation.url,
    once: null,
    pageSize: null,
  }
}

/** A public caller whose signature is refused is as unknown as one with a wrong key. */
async function handled(pipeline: Pipeline, operation: Operation, request: FastifyRequest, call: Call) {
  try {
    return await operation.handler(call)
  } catch (error) {
    if (operation.scope === 'public' && error instanceof FibricError && errorCodes[error.code].status === 401) {
      await pipeline.keeper.unknown(request, error.code)
    }
    throw error
  }
}

/** A refusal is an answer too: the first one stands. */
async function renderedWhatever(
  pipeline: Pipeline,
  operation: Operation,
  request: FastifyRequest,
  call: Call,
): Promise<Rendered> {
  try {
    const value = await operation.handler(call)
    if (value instanceof Streamed) throw new FibricError('INTERNAL', 'a stream has no first answer to keep')
    return render(value, operation)
  } catch (error) {
    const { status, body, headers } = pipeline.fail(error, request)
    return { status, text: JSON.stringify(body), headers }
  }
}

function render(value: Json | object | Answer, operation: Operation): Rendered {
  if (value instanceof Answer) return { status: value.status, text: JSON.stringify(value.body), headers: value.headers }
  const isText = typeof value === 'string' && operation.produces !== 'application/json'
  return {
    status: operation.status,
    text: isText ? value : JSON.stringify(value),
    headers: operation.produces === 'application/json' ? {} : { 'content-type': operation.produces },
  }
}

function send(reply: FastifyReply, { status, text, headers }: Rendered): FastifyReply {
  reply.code(status).header('content-type', 'application/json; charset=utf-8')
  return reply.headers(headers).send(text)
}

function sendStream(
  pipeline: Pipeline,
  reply: FastifyReply,
  { contentType, chunks }: Streamed,
  stopping: AbortController,
): FastifyReply {
  pipeline.streams.add(stopping)
  reply.raw.once('close', () => pipeline.streams.delete(stopping))
  return reply.header('content-type', contentType).send(Readable.from(chunks, { objectMode: false }))
}
