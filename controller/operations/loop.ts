import { setTimeout as sleep } from 'node:timers/promises'
import type { Engine } from '../engine.ts'
import { startLoop } from '../loop/start.ts'
import { connectorsOf } from './connections.ts'
import { openEventBus } from './ingest.ts'
import { modelsOf } from './model-way.ts'
import { proposeRegistrations } from './registrations.ts'

/** The governed loop of this process, until stopped: what is under way is then waited for. */
export interface RunningLoop {
  stop(): Promise<void>
}

/** Runs operators over the event log of an engine, and carries out what they propose. */
export function runLoop(
  engine: Engine,
  onFailure: (error: unknown, doing: string) => void,
  /** Where this deployment is reached from outside, as far as it knows. */
  origin: string | null = null,
): RunningLoop {
  const stopping = new AbortController()
  const bus = openEventBus(engine)
  const loop = startLoop(engine, {
    connector: connectorsOf(engine),
    models: modelsOf(engine),
    bus,
    signal: stopping.signal,
    onFailure,
  })
  const registering = keepRegistered(engine, origin, stopping.signal, onFailure)
  return {
    stop: async () => {
      stopping.abort()
      await Promise.all([loop.ended, registering])
      await connectorsOf(engine).close()
      await bus.close()
    },
  }
}

const registerEveryMs = 2000

async function keepRegistered(
  engine: Engine,
  origin: string | null,
  signal: AbortSignal,
  onFailure: (error: unknown, doing: string) => void,
): Promise<void> {
  while (!signal.aborted) {
    await proposeRegistrations(engine, origin).catch((error: unknown) => onFailure(error, 'registering webhooks'))
    await sleep(registerEveryMs, undefined, { signal }).catch(() => {}) // it only ends the wait
  }
}
