import { hash } from 'node:crypto'
import { buildConnector, Client } from 'undici'
import type { Destination } from './destination.ts'
import { type KeptConnections, keptMs } from './kept-connections.ts'

/** Client certificate and the authority to trust, in PEM. */
export interface TlsIdentity {
  readonly cert?: string
  readonly key?: string
  readonly ca?: string
}

export interface WireRequest {
  readonly method: string
  readonly headers: { readonly [name: string]: string }
  readonly body: Buffer | null
  readonly tls: TlsIdentity | null
  readonly responseBytesMax: number
  /** On the monotonic clock (`performance.now()`). */
  readonly deadlineMs: number
  readonly signal: AbortSignal | null
  /** Asked in the tick that would write the first byte: a reason not to, or null. */
  readonly mayWrite: () => string | null
  /** Whose connections it may share: only one that carried this sender's requests before. Null: one of its own, used once. */
  readonly sharedBy: string | null
  /** Told of each part of a body that may have no end: true once all that was asked for is there. */
  readonly isEnough?: ((chunk: Buffer, headers: Headers) => boolean) | undefined
}

/** What became of one request on the wire. Only `answered` is whole; after `broken` anything may have happened. */
export type WireAnswer =
  | { readonly kind: 'answered'; readonly status: number; readonly headers: Headers; readonly body: Buffer }
  | { readonly kind: 'broken'; readonly reason: BrokenReason; readonly status: number | null; readonly detail: string }
  | { readonly kind: 'unconnected'; readonly detail: string }
  | { readonly kind: 'unwritten'; readonly reason: string }

export type Headers = { readonly [name: string]: string }
export type BrokenReason = 'timeout' | 'aborted' | 'reset' | 'too-large'

/** Connections that wait for their next request. */
export type Connections = KeptConnections<Client>

/**
 * Sends one request to one of the addresses that were checked, and reads the whole answer within its bounds. Never throws.
 *
 * A request that may share goes over a connection that its sender used for the same place before, once that has rested:
 * see `KeptConnections` for why. It is written once, whatever the connection does: one that the other side closes at that
 * moment leaves a doubt.
 */
export function sendOnce(destination: Destination, request: WireRequest, kept: Connections): Promise<WireAnswer> {
  return new Promise((resolve) => {
    const place = request.sharedBy === null ? null : placeOf(destination, request, request.sharedBy)
    const client = (place === null ? null : kept.take(place)) ?? openClient(destination, request)
    const exchange = new Exchange(request, (answer) => {
      resolve(answer)
      // The answer stands; how the connection ends is of no interest any more. Destroying one that is about to end by
      // itself costs as much as the request.
      if (place !== null && answer.kind === 'answered') kept.keep(place, client)
      else (answer.kind === 'answered' ? client.close() : client.destroy()).catch(() => {}) // an end that fails is an end
    })
    exchange.start(client, destination)
  })
}

function openClient(destination: Destination, request: WireRequest): Client {
  return new Client(destination.url.origin, {
    connect: pinnedConnector(destination, request),
    pipelining: 1,
    allowH2: false,
    headersTimeout: 0, // the deadline bounds the whole
    bodyTimeout: 0,
    keepAliveTimeout: keptMs,
    keepAliveMaxTimeout: keptMs,
    maxHeaderSize: 32_768,
  })
}

/** Connections are alike when they lead to the same addresses, under the same name and identity, for the same sender. */
function placeOf({ url, addresses }: Destination, { tls }: WireRequest, sharedBy: string): string {
  const where = addresses.map(({ address }) => address).toSorted()
  const identity = tls === null ? '' : hash('sha256', JSON.stringify([tls.cert, tls.key, tls.ca]), 'hex')
  return [sharedBy, url.origin, identity, ...where].join('\n')
}

/** Connects to the addresses that were checked and to no other, whatever the name resolves to by now. */
function pinnedConnector({ addresses }: Destination, { tls, deadlineMs }: WireRequest) {
  return buildConnector({
    allowH2: false,
    maxCachedSessions: 0,
    timeout: Math.max(1, Math.ceil(deadlineMs - performance.now())),
    ...(tls?.cert === undefined ? {} : { cert: tls.cert }),
    ...(tls?.key === undefined ? {} : { key: tls.key }),
    ...(tls?.ca === undefined ? {} : { ca: tls.ca }),
    rejectUnauthorized: true,
    lookup: (_hostname, options, callback) => {
      if (options.all) callback(null, [...addresses])
      else callback(null, addresses[0]!.address, addresses[0]!.family)
    },
  })
}

interface Controller {
  abort(reason: Error): void
}

type Dispatcher = Pick<Client, 'dispatch'>

/** One request and what is known of it: whether it was written, and what has come back. */
class Exchange {
  readonly #request: WireRequest
  readonly #finish: (answer: WireAnswer) => void
  #controller: Controller | null = null
  #written = false
  #refusal: string | null = null
  #stopped: { reason: BrokenReason; detail: string } | null = null
  #status: number | null = null
  #headers: Headers = {}
  #chunks: Buffer[] = []
  #sizeBytes = 0
  #done = false
  #timer: NodeJS.Timeout | null = null

  constructor(request: WireRequest, finish: (answer: WireAnswer) => void) {
    this.#request = request
    this.#finish = finish
  }

  start(dispatcher: Dispatcher, { url }: Destination): void {
    const { method, headers, body, signal, deadlineMs, sharedBy } = this.#request
    const remainingMs = Math.ceil(deadlineMs - performance.now())
    if (signal?.aborted || remainingMs <= 0) {
      this.#end({ kind: 'unwritten', reason: signal?.aborted ? 'aborted before it was sent' : 'too late to be sent' })
      return
    }
    this.#timer = setTimeout(() => this.#stop('timeout', 'no whole answer before the deadline'), remainingMs)
    signal?.addEventListener('abort', this.#onAbort, { once: true })
    try {
      dispatcher.dispatch(
        { method: method as 'GET', path: `${url.pathname}${url.search}`, headers, body, reset: sharedBy === null },
        {
          onRequestStart: (controller) => this.#onStart(controller),
          onResponseStart: (_controller, status, received) => this.#onHead(status, received),
          onResponseData: (_controller, chunk) => this.#onData(chunk),
          onResponseEnd: () => this.#onEnd(),
          onResponseError: (_controller, error) => this.#onError(error),
        },
      )
    } catch (error) {
      // The client refuses what it cannot write before it writes anything.
      this.#onError(error)
    }
  }

  readonly #onAbort = (): void => this.#stop('aborted', 'the attempt was aborted')

  #onStart(controller: Controller): void {
    this.#controller = controller
    // The client writes the head in this same tick, so nothing comes between this check and the first byte. It is also
    // asked once only: a request that has been written is never written again, whatever the connection does.
    this.#refusal = this.#written ? 'it was written once already' : this.#lateness()
    if (this.#refusal !== null) controller.abort(new Error(this.#refusal))
    else this.#written = true
  }

  #lateness(): string | null {
    if (this.#stopped !== null || this.#done) return 'too late to be sent'
    if (performance.now() >= this.#request.deadlineMs) return 'too late to be sent'
    return this.#request.mayWrite()
  }

  #onHead(status: number, received: { readonly [name: string]: string | string[] | undefined }): void {
    if (status < 200) return
    this.#status = status
    this.#headers = flat(received)
    const length = Number(this.#headers['content-length'] ?? 0)
    if (this.#request.method !== 'HEAD' && length > this.#request.responseBytesMax) this.#tooLarge()
  }

  #onData(chunk: Buffer): void {
    this.#sizeBytes += chunk.length
    if (this.#sizeBytes > this.#request.responseBytesMax) this.#tooLarge()
    else this.#chunks.push(chunk)
    if (this.#stopped === null && this.#request.isEnough?.(chunk, this.#headers)) {
      this.#onEnd()
      this.#controller?.abort(new Error('enough was read'))
    }
  }

  #tooLarge(): void {
    this.#chunks = []
    this.#stop('too-large', `the answer is over ${this.#request.responseBytesMax} bytes`)
  }

  #onEnd(): void {
    this.#end({ kind: 'answered', status: this.#status!, headers: this.#headers, body: Buffer.concat(this.#chunks) })
  }

  #onError(error: unknown): void {
    if (this.#written) {
      const { reason, detail } = this.#stopped ?? { reason: 'reset' as const, detail: describe(error) }
      this.#end({ kind: 'broken', reason, status: this.#status, detail })
    } else if ((error as { code?: unknown }).code === 'UND_ERR_INVALID_ARG') {
      this.#end({ kind: 'unwritten', reason: 'the request holds what a request cannot carry' })
    } else if (this.#refusal !== null) {
      this.#end({ kind: 'unwritten', reason: this.#refusal })
    } else {
      this.#end({ kind: 'unconnected', detail: describe(error) })
    }
  }

  /** Ends the request from our side: what was written stays written, and its end is unknown. */
  #stop(reason: BrokenReason, detail: string): void {
    if (this.#done || this.#stopped !== null) return
    this.#stopped = { reason, detail }
    this.#controller?.abort(new Error(detail))
    if (this.#written) this.#end({ kind: 'broken', reason, status: this.#status, detail })
    else this.#end(reason === 'aborted' ? { kind: 'unwritten', reason: detail } : { kind: 'unconnected', detail })
  }

  #end(answer: WireAnswer): void {
    if (this.#done) return
    this.#done = true
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#request.signal?.removeEventListener('abort', this.#onAbort)
    this.#finish(answer)
  }
}

function flat(received: { readonly [name: string]: string | string[] | undefined }): Headers {
  return Object.fromEntries(
    Object.entries(received).map(([name, value]) => [name.toLowerCase(), [value ?? ''].flat().join(', ')]),
  )
}

/** The error's code or name, and never its message alone: some messages hold a part of what was sent. */
function describe(error: unknown): string {
  const { code, name } = error as { code?: unknown; name?: unknown }
  const causes = (error as AggregateError).errors as { code?: unknown }[] | undefined
  const first = causes?.find((cause) => typeof cause.code === 'string')?.code
  return String(first ?? code ?? name ?? 'error')
}
