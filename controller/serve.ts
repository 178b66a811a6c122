import { openApi } from './api/server.ts'
import { settleApi } from './api/settings.ts'
import type { Engine } from './engine.ts'

/** The API as whoever started it holds it. */
export interface Serving {
  readonly url: string
  /** Tells callers to come back, waits for what runs, and stops listening. */
  drain(): Promise<void>
}

export interface ServeOptions {
  readonly host: string
  /** 0 takes any that is free. */
  readonly port: number
  /** The folder of the configuration repository that is followed beside it; null where none is. */
  readonly directory: string | null
  readonly environment: NodeJS.ProcessEnv
}

/** Serves the API over an engine until it is drained. The engine stays its owner's to close. */
export async function serve(engine: Engine, options: ServeOptions): Promise<Serving> {
  const settings = settleApi(options.environment)
  const api = await openApi(engine, { settings, directory: options.directory })
  try {
    const { address, family, port } = await api.listen(options.host, options.port)
    const name = ['127.0.0.1', '::1'].includes(address) ? 'localhost' : family === 'IPv6' ? `[${address}]` : address
    return { url: `http://${name}:${port}`, drain: () => api.drain() }
  } catch (error) {
    await api.drain(0)
    throw error
  }
}
