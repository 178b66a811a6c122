import { request as httpRequest } from 'node:http'
import { type Api, openApi } from '../../controller/api/server.ts'
import { settleApi } from '../../controller/api/settings.ts'
import type { Slug } from '../../controller/domain/ids.ts'
import type { Engine } from '../../controller/engine.ts'
import { createKey } from '../../controller/tenancy/keys.ts'

/** An API on a port of its own, over an engine. */
export interface TestApi {
  readonly api: Api
  readonly port: number
  send(method: string, path: string, options?: SendOptions): Promise<Sent>
  /** The secret of a new key; of the governance domain where no tenant is named. */
  key(slug: string | null, role?: string, user?: string | null): Promise<string>
  close(): Promise<void>
}

export interface SendOptions {
  readonly key?: string | null
  /** Host header; default: the deployment's own. */
  readonly host?: string
  readonly headers?: { readonly [name: string]: string }
  readonly body?: unknown
  /** Bytes as they are, instead of `body`. */
  readonly raw?: Buffer | string
}

export interface Sent {
  readonly status: number
  readonly headers: { readonly [name: string]: string | string[] | undefined }
  readonly text: string
  /** Whatever was answered: a test reads what it expects, and fails where it is not. */
  readonly json: ReturnType<typeof JSON.parse>
}

export interface TestApiOptions {
  readonly environment?: NodeJS.ProcessEnv
  readonly directory?: string | null
}

export async function testApi(engine: Engine, options: TestApiOptions = {}): Promise<TestApi> {
  const settings = settleApi({ FIBRIC_LOG_LEVEL: 'silent', ...options.environment })
  const api = await openApi(engine, { settings, directory: options.directory ?? null })
  const { port } = await api.listen('127.0.0.1', 0)
  return {
    api,
    port,
    send: (method, path, sent = {}) => send(port, method, path, sent),
    async key(slug, role = 'admin', user = null) {
      const wanted = { slug: (slug ?? '_platform') as Slug, role, name: null, user: user as never, expiresAt: null }
      return (await createKey(engine.database, engine.actor, wanted, engine.clock())).secret
    },
    close: () => api.drain(5000),
  }
}

/** `fetch` will not set a Host header, so a request of our own. */
export function send(port: number, method: string, path: string, options: SendOptions = {}): Promise<Sent> {
  const bytes = options.raw ?? (options.body === undefined ? null : JSON.stringify(options.body))
  const headers: { [name: string]: string } = {
    host: options.host ?? 'localhost',
    ...(options.key && { authorization: `Bearer ${options.key}` }),
    ...(bytes !== null && { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(bytes)) }),
    ...options.headers,
  }
  return new Promise((resolve, reject) => {
    const request = httpRequest({ host: '127.0.0.1', port, method, path, headers, agent: false }, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => {
        text += chunk
      })
      response.on('error', reject)
      response.on('end', () => {
        const isJson = String(response.headers['content-type']).startsWith('application/json')
        const json = isJson && text !== '' ? JSON.parse(text) : null
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text, json })
      })
    })
    request.on('error', reject)
    request.end(bytes ?? undefined)
  })
}
