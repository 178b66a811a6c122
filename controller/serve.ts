import { openApi } from './api/server.ts'
import { settleApi } from './api/settings.ts'
import type { Engine } from './engine.ts'
import type { GitSource } from './operations/git-source.ts'
import { keepEvents, settleEventLog } from './operations/ingest.ts'
import { settlePublicUrl } from './operations/ingest-addresses.ts'
import { runLoop } from './operations/loop.ts'
import { runSources } from './operations/sources.ts'

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
  /** What a push to the git repository that is followed is told to. */
  readonly push?: GitSource['push']
}

/** Serves the API over an engine, runs the governed loop, and keeps the event log in order, until drained. The engine stays its owner's to close. */
export async function serve(engine: Engine, options: ServeOptions): Promise<Serving> {
  const settings = settleApi(options.environment)
  const logSettings = settleEventLog(options.environment)
  const publicUrl = settlePublicUrl(options.environment)
  const api = await openApi(engine, { settings, directory: options.directory, push: options.push ?? null })
  try {
    const { address, family, port } = await api.listen(options.host, options.port)
    const name = ['127.0.0.1', '::1'].includes(address) ? 'localhost' : family === 'IPv6' ? `[${address}]` : address
    const log = keepEvents(engine, complain, logSettings)
    const url = `http://${name}:${port}`
    const loop = runLoop(engine, complainOf, publicUrl ?? url)
    const sources = runSources(engine, complainOf)
    const drain = async (): Promise<void> => {
      await api.drain()
      await sources.stop()
      await loop.stop()
      await log.stop()
    }
    return { url, drain }
  } catch (error) {
    await api.drain(0)
    throw error
  }
}

function complain(error: unknown): void {
  process.stderr.write(`the event log was not kept in order this time: ${(error as Error).message}\n`)
}

function complainOf(error: unknown, doing: string): void {
  process.stderr.write(`${doing} failed and is tried again: ${(error as Error).message}\n`)
}
