import { askPoll, installedPolls } from '../connectors/poll.ts'
import type { Engine } from '../engine.ts'
import type { PollSource } from '../ingest/poll-source.ts'
import { type PollerParts, runPollers } from '../ingest/pollers.ts'
import { runSchedules } from '../ingest/schedules.ts'
import { readOnceMoved } from '../store/config-marks.ts'
import { readDomains } from '../store/domains.ts'
import { connectorsOf } from './connections.ts'
import { admissionOf } from './ingest.ts'

/** What brings events in by itself, until stopped: what is under way is then waited for. */
export interface RunningSources {
  stop(): Promise<void>
}

/** Polls the providers of every connection, and emits what schedules say. Any number of processes may run it on one database. */
export function runSources(engine: Engine, onFailure: (error: unknown, doing: string) => void): RunningSources {
  const stopping = new AbortController()
  const parts = pollerParts(engine, onFailure)
  const ended = Promise.all([runPollers(parts, stopping.signal), runSchedules(parts, stopping.signal)])
  return {
    stop: async () => {
      stopping.abort()
      await ended
    },
  }
}

export function pollerParts(engine: Engine, onFailure: PollerParts['onFailure']): PollerParts {
  const { database, clock } = engine
  return { database, clock, onFailure, admission: admissionOf(engine), source: pollSource(engine) }
}

/** New polls are looked for every few seconds: what the loop asked a moment ago will do. */
const markAgeMs = 1_500

function pollSource(engine: Engine): PollSource {
  return {
    polls: readOnceMoved(
      engine.database,
      async () => {
        const domains = await engine.database.asWorker([], readDomains, { access: 'read only' })
        return installedPolls(
          connectorsOf(engine),
          domains.map((domain) => domain.tenant_id),
        )
      },
      markAgeMs,
    ),
    ask: (poll, at, signal) => askPoll(connectorsOf(engine), poll, at, signal),
  }
}
