import type { FastifyRequest } from 'fastify'
import type { TenantId } from '../domain/ids.ts'
import type { Json, JsonObject } from '../domain/json.ts'
import type { Engine } from '../engine.ts'
import type { Once } from '../operations/once.ts'
import type { Actor } from '../tenancy/actor.ts'
import type { Scope } from '../tenancy/key-scopes.ts'

/** A part of the API: one file in `routes/`, listed in `routes.ts`. */
export interface RouteGroup {
  readonly name: string
  register(server: ApiServer, context: ApiContext): void
}

/** What a group may ask of the server it is part of. */
export interface ApiContext {
  readonly engine: Engine
  /** The folder of the configuration repository this server follows; null where it follows none. */
  readonly directory: string | null
  /** Whether a request is the signed word of the host of the git repository that is followed; null where none is. */
  readonly push: ((request: { readonly headers: Call['headers']; readonly body: Buffer }) => Promise<boolean>) | null
  authenticate(request: FastifyRequest): Promise<Actor>
  /** The engine as this actor has it: operations ask it who is asking. */
  engineFor(actor: Actor): Engine
}

/** Takes routes: a running server, or the OpenAPI document that describes one. */
export interface ApiServer {
  add(operation: Operation): void
}

export type Schema = { readonly [keyword: string]: unknown }
export type Method = 'GET' | 'POST' | 'PATCH' | 'PUT' | 'DELETE'

/**
 * Who may call: whoever has the scope, `any` known credential, a `platform` credential with the scope `config:read`, or
 * the `public` (the sender of a webhook, a probe), whose tenant is the Host's at most.
 */
export type Access = Scope | 'any' | 'platform' | 'public'

export interface Operation {
  readonly method: Method
  /** Parameters in braces: `/v1/plans/{id}`. */
  readonly url: string
  readonly scope: Access
  readonly summary: string
  readonly description: string
  /** Name of the group, for the document. */
  readonly tag: string
  /** Schema of a JSON body; null takes none. */
  readonly body: Schema | null
  /** Whether the body may be left out. */
  readonly bodyOptional: boolean
  readonly bodySizeMax: number
  /** The body is handed on as received, whatever its type, in `call.raw`. */
  readonly rawBody: boolean
  /** Schemas by name. A query parameter is optional unless `required` is listed in `queryRequired`. */
  readonly query: { readonly [name: string]: Schema }
  readonly queryRequired: readonly string[]
  readonly params: { readonly [name: string]: Schema }
  /** Schema of the answer: a name of `objects/schemas.ts`, or a schema. Documentation; tests hold answers against it. */
  readonly response: Schema
  readonly status: number
  /** The media type of the answer where it is not JSON. */
  readonly produces: string
  /** Whether an `Idempotency-Key` is honoured. */
  readonly idempotent: boolean
  /** Answers on every Host: probes alone. */
  readonly anyHost: boolean
  readonly handler: Handler
}

export type Handler = (call: Call) => Promise<Json | object | Answer | Streamed>

/** One request, settled: who asks, for what, in whose name. */
export interface Call {
  /** The engine as the caller has it. On `public` routes nobody stands behind it: it may do nothing by itself. */
  readonly engine: Engine
  readonly actor: Actor
  /** The tenant of the Host, or null on the deployment's own hosts. */
  readonly hostTenantId: TenantId | null
  readonly requestId: string
  readonly body: JsonObject
  readonly query: { readonly [name: string]: string | number | boolean | undefined }
  readonly params: { readonly [name: string]: string }
  /** In lower case; a header sent twice is joined with commas, as HTTP has it. */
  readonly headers: { readonly [name: string]: string | undefined }
  /** The bytes as received; empty unless the route has `rawBody`. */
  readonly raw: Buffer
  /** Aborts when the caller is gone, or when the server is about to be: long answers end then. */
  readonly signal: AbortSignal
  /** The path as the document writes it. */
  readonly route: string
  /** Names this request through every attempt at it; null where it came without an idempotency key. */
  readonly once: Once | null
  /** How many a page may have; null: as the query says. A caller in the same process takes large ones. */
  readonly pageSize: number | null
}

/** An answer with another status than the route's own, or with headers. */
export class Answer {
  readonly status: number
  readonly body: Json | object
  readonly headers: { readonly [name: string]: string }

  constructor(status: number, body: Json | object, headers: { readonly [name: string]: string } = {}) {
    this.status = status
    this.body = body
    this.headers = headers
  }
}

/** An answer that is written as it comes: server-sent events, logs, exports. */
export class Streamed {
  readonly contentType: string
  readonly chunks: AsyncIterable<string | Uint8Array>

  constructor(contentType: string, chunks: AsyncIterable<string | Uint8Array>) {
    this.contentType = contentType
    this.chunks = chunks
  }
}

/** What a group writes down of a route; the rest has defaults. */
export interface RouteOptions {
  readonly method: Method
  readonly url: string
  readonly scope: Access
  readonly summary: string
  readonly response: Schema
  readonly handler: Handler
  /** Default: what follows `/v1/`. */
  readonly tag?: string
  readonly description?: string
  readonly body?: Schema
  readonly bodyOptional?: boolean
  readonly bodySizeMax?: number
  readonly rawBody?: boolean
  readonly query?: Operation['query']
  readonly queryRequired?: readonly string[]
  readonly params?: Operation['params']
  readonly status?: number
  readonly produces?: string
  readonly idempotent?: boolean
  readonly anyHost?: boolean
}

export const bodySizeMaxDefault = 1024 * 1024

/** Adds one route: its schemas, who may call it, its errors and its entry in the OpenAPI document, in one call. */
export function route(server: ApiServer, options: RouteOptions): void {
  const names = [...options.url.matchAll(/\{(\w+)\}/g)].map(([, name]) => name!)
  const writes = options.method === 'POST' || options.method === 'PATCH'
  server.add({
    description: '',
    tag: options.url.split('/')[2] ?? 'health',
    body: null,
    bodyOptional: false,
    bodySizeMax: bodySizeMaxDefault,
    rawBody: false,
    query: {},
    queryRequired: [],
    status: 200,
    produces: 'application/json',
    idempotent: writes && options.scope !== 'public',
    anyHost: false,
    ...options,
    params: Object.fromEntries(names.map((name) => [name, options.params?.[name] ?? anyName])),
  })
}

const anyName: Schema = { type: 'string', minLength: 1, maxLength: 300 }

/** How Fastify writes the parameters of a path. */
export function fastifyPath(url: string): string {
  return url.replaceAll(/\{(\w+)\}/g, ':$1')
}
