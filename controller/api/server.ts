import { randomBytes } from 'node:crypto'
import type { AddressInfo, Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import rateLimit from '@fastify/rate-limit'
import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from 'fastify'
import { FibricError } from '../domain/errors.ts'
import { mintId, platformTenantId } from '../domain/ids.ts'
import type { Engine } from '../engine.ts'
import { observeEgress } from '../operations/connections.ts'
import { authenticate } from '../tenancy/actor.ts'
import { bearerOf, type Gatekeeper } from './credentials.ts'
import { failureFor } from './failure.ts'
import { hostBinding } from './hosts.ts'
import { requestLimits } from './limits.ts'
import { apiLogger } from './logging.ts'
import { apiMetrics } from './metrics.ts'
import { OnceOnly } from './once.ts'
import { openApiRoutes } from './openapi.ts'
import { install, type Pipeline } from './pipeline.ts'
import { recordRefusals } from './refusals.ts'
import { type ApiContext, bodySizeMaxDefault, type Operation } from './route.ts'
import { healthRoutes } from './routes/health.ts'
import { routeGroups } from './routes.ts'
import type { ApiSettings } from './settings.ts'
import { settleVersion } from './versions.ts'

export interface ApiOptions {
  readonly settings: ApiSettings
  /** The folder of the configuration repository the server follows, if it follows one. */
  readonly directory: string | null
  /** What a push to the git repository that is followed is told to; null where none is. */
  readonly push?: ApiContext['push']
}

export interface Api {
  readonly fastify: FastifyInstance
  /** Answers on this address until `drain`. */
  listen(host: string, port: number): Promise<AddressInfo>
  /**
   * Ends in order: from now on every request is told to come back, streams end, what runs is waited for (`graceMs` at
   * most), and what was noted for the ledger is written there.
   */
  drain(graceMs?: number): Promise<void>
}

const graceMsDefault = 20_000
const housekeepingMs = 15_000
const forgettingMs = 60 * 60 * 1000

/** The API over an engine: every route of `routes.ts`, nothing listening yet. */
export async function openApi(engine: Engine, options: ApiOptions): Promise<Api> {
  const { settings } = options
  const logger = apiLogger(settings.logLevel)
  const metrics = apiMetrics()
  observeEgress(engine, metrics.egress)
  const bind = hostBinding(engine, settings)
  const complain = (error: unknown): void => logger.error({ error }, 'housekeeping failed')
  const once = new OnceOnly(engine, complain)
  const state = { draining: false }
  const running = new Set<FastifyRequest>()
  const anyHost = new Set<string>()
  const app = fastify({
    logger: false,
    genReqId: () => mintId('request', Date.now(), randomBytes(10)),
    requestIdHeader: false,
    trustProxy: settings.trustedProxies.length > 0 ? [...settings.trustedProxies] : false,
    bodyLimit: bodySizeMaxDefault,
    requestTimeout: 60_000,
    keepAliveTimeout: 5_000,
    // A request without a Host gets our answer, not Node's.
    http: { headersTimeout: 15_000, requireHostHeader: false },
    exposeHeadRoutes: false,
    return503OnClosing: false,
    forceCloseConnections: 'idle',
    routerOptions: { ignoreTrailingSlash: false, maxParamLength: 400 },
    frameworkErrors: (error, request, reply) => sendFailure(error, request, reply),
    clientErrorHandler: answerNoRequest,
  })
  await app.register(rateLimit, { global: false })
  const countUnknown = app.createRateLimit({ max: settings.unknownPerMinute, timeWindow: '1 minute' })

  const fail = (error: unknown, request: FastifyRequest) => {
    const failure = failureFor(error, request.id)
    if (failure.logged) {
      logger.error({ request_id: request.id, route: routeOf(request), error }, 'a request failed')
    }
    return failure
  }
  const sendFailure = (error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply => {
    const { status, body, headers } = fail(error, request)
    return reply
      .code(status)
      .headers({ ...ownHeaders(request.id), ...headers })
      .header('content-type', 'application/json; charset=utf-8')
      .send(JSON.stringify(body))
  }

  const keeper: Gatekeeper = {
    engine,
    limits: requestLimits(engine, settings.requestsPerMinute),
    async unknown(request, code) {
      metrics.unknownCaller(code)
      const counted = await countUnknown(request)
      if (!counted.isAllowed && counted.isExceeded) {
        throw new FibricError('RATE_LIMITED', 'too many requests without a known credential', {
          details: { retry_after_s: counted.ttlInSeconds },
        })
      }
    },
  }
  const context: ApiContext = {
    engine,
    directory: options.directory,
    push: options.push ?? null,
    authenticate: (request) => authenticate(engine.database, bearerOf(request), engine.clock()),
    engineFor: (actor) => ({ ...engine, actor }),
  }
  const pipeline: Pipeline = { context, keeper, once, settled: new WeakMap(), streams: new Set(), fail }

  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
  app.setSerializerCompiler(() => JSON.stringify)
  app.setErrorHandler(sendFailure)
  app.setNotFoundHandler(() => {
    throw nothingHere()
  })
  app.addHook('onRequest', async (request, reply) => {
    running.add(request)
    metrics.inFlight(1)
    reply.headers(ownHeaders(request.id))
    const isProbe = anyHost.has(request.routeOptions.url ?? '')
    const binding = isProbe ? ({ kind: 'own' } as const) : await bind(request)
    if (binding.kind === 'unknown') throw nothingHere()
    pipeline.settled.set(request, { binding, actor: null })
    if (isProbe) return
    reply.header('fibric-version', settleVersion(headerOf(request, 'fibric-version')))
    refuseEncoding(headerOf(request, 'content-encoding'))
    if (!state.draining) return
    reply.header('connection', 'close')
    throw new FibricError('SERVICE_UNAVAILABLE', 'the server is shutting down', { details: { retry_after_s: 5 } })
  })
  app.addHook('onResponse', async (request, reply) => {
    if (running.delete(request)) metrics.inFlight(-1)
    const actor = pipeline.settled.get(request)?.actor ?? null
    const tenant = actor === null ? 'none' : (actor.tenantId ?? platformTenantId)
    const seconds = reply.elapsedTime / 1000
    const { method } = request
    const { statusCode: status } = reply
    metrics.request({ method, route: routeOf(request), status, tenant, seconds })
    const line = {
      request_id: request.id,
      method,
      route: routeOf(request),
      status,
      tenant,
      key_id: actor?.keyId ?? null,
    }
    logger.info({ ...line, duration_ms: Math.round(reply.elapsedTime) }, 'answered')
  })

  const add = (operation: Operation): void => {
    if (operation.anyHost) anyHost.add(operation.url)
    install(app, pipeline, operation)
  }
  const isReady = (): boolean => !state.draining
  for (const group of [...routeGroups, openApiRoutes, healthRoutes(isReady, metrics.registry)])
    group.register({ add }, context)
  await app.ready()

  const tidying = setInterval(() => void recordRefusals(engine).catch(complain), housekeepingMs).unref()
  const forgetting = setInterval(() => void once.forget().catch(complain), forgettingMs).unref()
  // What a process before this one noted and did not live to write.
  await recordRefusals(engine)

  return {
    fastify: app,
    async listen(host, port) {
      await listenOn(app, host, port)
      return app.server.address() as AddressInfo
    },
    async drain(graceMs = graceMsDefault) {
      state.draining = true
      for (const stream of pipeline.streams) stream.abort()
      const until = performance.now() + graceMs
      while (running.size > 0 && performance.now() < until) await sleep(20)
      clearInterval(tidying)
      clearInterval(forgetting)
      once.close()
      app.server.closeAllConnections()
      await app.close()
      await recordRefusals(engine, true)
    },
  }
}

async function listenOn(app: FastifyInstance, host: string, port: number): Promise<void> {
  try {
    await app.listen({ host, port })
  } catch (error) {
    const { code } = error as { code?: unknown }
    if (code !== 'EADDRINUSE' && code !== 'EACCES') throw error
    throw new FibricError('PORT_TAKEN', `port ${port} of ${host} cannot be listened on`, {
      hint: 'stop the other program, or choose another: --port 4311 (0 takes any)',
      cause: error,
    })
  }
}

/** Says no more of a wrong host than of a wrong path. */
function nothingHere(): FibricError {
  return new FibricError('NOT_FOUND', 'there is nothing here')
}

function ownHeaders(requestId: string): { [name: string]: string } {
  return { 'x-request-id': requestId, 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' }
}

function headerOf(request: FastifyRequest, name: string): string | undefined {
  const value = request.headers[name]
  return Array.isArray(value) ? value.join(', ') : value
}

function refuseEncoding(encoding: string | undefined): void {
  if (encoding === undefined || encoding.toLowerCase() === 'identity') return
  throw new FibricError('UNSUPPORTED_MEDIA_TYPE', 'the body has to come without content-encoding')
}

function routeOf(request: FastifyRequest): string {
  return request.routeOptions.url ?? 'none'
}

/** What is not even HTTP gets an answer in the same form, straight onto the socket. */
function answerNoRequest(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy()
    return
  }
  const id = mintId('request', Date.now(), randomBytes(10))
  const [status, message] =
    error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
      ? ['408 Request Timeout', 'the request did not come to its end in time']
      : error.code === 'HPE_HEADER_OVERFLOW'
        ? ['431 Request Header Fields Too Large', 'the headers are larger than the server takes']
        : ['400 Bad Request', 'this is not a request that HTTP knows']
  const { body } = failureFor(new FibricError('INVALID_PARAMETER', message), id)
  const text = JSON.stringify(body)
  socket.end(
    `HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-type: application/json; charset=utf-8\r\n` +
      `x-request-id: ${id}\r\ncontent-length: ${Buffer.byteLength(text)}\r\n\r\n${text}`,
  )
}
