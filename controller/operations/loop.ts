import { setTimeout as sleep } from 'node:timers/promises'
import type { Engine } from '../engine.ts'
import { startLoop } from '../loop/start.ts'
import { connectorsOf } from './connections.ts'
import { openEventBus } from './ingest.ts'
import { modelsOf } from './model-way.ts'
import { offBoardDeleted } from './off-boarding.ts'
import { Registrar } from './registrations.ts'

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

const registerEveryMs = 5000
/** Registering is no hurry: what the loop asked a moment ago will do. */
const markAgeMs = 1500
const forgetEveryMs = 60_000

async function keepRegistered(
  engine: Engine,
  origin: string | null,
  signal: AbortSignal,
  onFailure: (error: unknown, doing: string) => void,
): Promise<void> {
  const registrar = new Registrar(engine, origin)
  let forgotMs = Number.NEGATIVE_INFINITY
  while (!signal.aborted) {
    await registrar.look(markAgeMs).catch((error: unknown) => onFailure(error, 'registering webhooks'))
    if (performance.now() - forgotMs > forgetEveryMs) {
      forgotMs = performance.now()
      await forgetDeleted(engine).catch((error: unknown) => onFailure(error, 'off-boarding deleted tenants'))
    }
    await sleep(registerEveryMs, undefined, { signal }).catch(() => {}) // it only ends the wait
  }
}

/** What an apply did not come to: one that was killed, or waited for an attempt or for a doubt. */
async function forgetDeleted(engine: Engine): Promise<void> {
  await offBoardDeleted(engine, 'builtin:off-boarding')
}
