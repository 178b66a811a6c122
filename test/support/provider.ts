import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createTlsServer, type ServerOptions } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

/** What arrived, as it arrived. */
export interface Received {
  readonly method: string
  readonly path: string
  readonly headers: { readonly [name: string]: string }
  readonly body: string
}

/** What a provider does with one request. */
export type Behaviour = (request: Received, response: ServerResponse, socket: Socket) => void | Promise<void>

/** A real HTTP server on loopback that does what it is told, and keeps what it received. */
export interface Provider {
  readonly port: number
  /** `127.0.0.1:<port>` */
  readonly host: string
  readonly url: string
  readonly received: Received[]
  /** Bytes it managed to write before its peer had enough. */
  readonly written: () => number
  /** Decides by path (without query); `*` is every other. */
  on(path: string, behaviour: Behaviour): void
  forget(): void
  close(): Promise<void>
}

export async function startProvider(tls?: ServerOptions): Promise<Provider> {
  const behaviours = new Map<string, Behaviour>()
  const received: Received[] = []
  const sockets = new Set<Socket>()
  let written = 0
  const listener = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const chunks: Buffer[] = []
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk)
    const path = request.url ?? ''
    const headers = Object.fromEntries(
      Object.entries(request.headers).map(([name, value]) => [name, [value ?? ''].flat().join(', ')]),
    )
    const kept = { method: request.method ?? '', path, headers, body: Buffer.concat(chunks).toString('utf8') }
    received.push(kept)
    const behaviour = behaviours.get(path.split('?')[0]!) ?? behaviours.get('*') ?? answers(200, {})
    await behaviour(kept, response, request.socket)
  }
  const server: Server = tls === undefined ? createServer() : createTlsServer(tls)
  // A peer that hangs up in the middle of a request is part of what is tested.
  server.on('request', (request, response) => void listener(request, response).catch(() => request.socket.destroy()))
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => {
      written += socket.bytesWritten
      sockets.delete(socket)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    port,
    host: `127.0.0.1:${port}`,
    url: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`,
    received,
    written: () => [...sockets].reduce((total, socket) => total + socket.bytesWritten, written),
    on: (path, behaviour) => void behaviours.set(path, behaviour),
    forget: () => {
      behaviours.clear()
      received.length = 0
    },
    close: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

export function answers(status: number, body: unknown, headers: { [name: string]: string } = {}): Behaviour {
  return (_request, response) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers })
    response.end(JSON.stringify(body))
  }
}

/** Bytes as they are, over the bare socket, then the end of the connection. */
export function writesRaw(...parts: readonly string[]): Behaviour {
  return async (_request, response, socket) => {
    response.detachSocket(socket)
    for (const part of parts) {
      socket.write(part)
      await sleep(5)
    }
    socket.end()
  }
}

export const hangsUp: Behaviour = (_request, _response, socket) => {
  socket.resetAndDestroy()
}

export const staysSilent: Behaviour = () => {}

/** Says how long its answer is, and stops half way. */
export const answersHalf: Behaviour = (_request, response, socket) => {
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': '1000' })
  response.write('{"half": "')
  setTimeout(() => socket.destroy(), 20)
}

/** As many bytes as its peer will take, as fast as it will take them. */
export function answersEndlessly(sizeBytes: number, declare: boolean): Behaviour {
  return async (_request, response) => {
    response.writeHead(200, {
      'content-type': 'application/json',
      ...(declare ? { 'content-length': String(sizeBytes) } : {}),
    })
    const chunk = Buffer.alloc(1 << 20, 'x')
    const closed = once(response, 'close')
    for (let sent = 0; sent < sizeBytes && !response.destroyed; sent += chunk.length) {
      if (!response.write(chunk)) {
        await Promise.race([once(response, 'drain'), closed])
      }
    }
    response.end()
  }
}
