import type { Engine } from '../engine.ts'
import { startLoop } from '../loop/start.ts'
import { connectorsOf } from './connections.ts'
import { openEventBus } from './ingest.ts'
import { modelsOf } from './model-way.ts'

/** The governed loop of this process, until stopped: what is under way is then waited for. */
export interface RunningLoop {
  stop(): Promise<void>
}

/** Runs operators over the event log of an engine, and carries out what they propose. */
export function runLoop(engine: Engine, onFailure: (error: unknown, doing: string) => void): RunningLoop {
  const stopping = new AbortController()
  const bus = openEventBus(engine)
  const loop = startLoop(engine, {
    connector: connectorsOf(engine),
    models: modelsOf(engine),
    bus,
    signal: stopping.signal,
    onFailure,
  })
  return {
    stop: async () => {
      stopping.abort()
      await loop.ended
      await bus.close()
    },
  }
}
