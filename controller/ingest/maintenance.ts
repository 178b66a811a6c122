import { platformTenantId } from '../domain/ids.ts'
import type { Database } from '../store/connect.ts'
import { readLedgerOwners } from '../store/domains.ts'
import { dropEffectClaims } from '../store/effect-claims.ts'
import { dropEventWeek, makeEventPartition, readEventPartitions } from '../store/event-partitions.ts'
import { dropEvidence } from '../store/evidence.ts'
import { rotateIngestKeys } from '../store/ingest-keys.ts'
import { AppendWatch } from '../store/last-serials.ts'
import { dropOnce } from '../store/once.ts'
import { sweepEvents } from './sequencer.ts'

export interface LogSettings {
  /** How long an idempotency key binds at least; at most twice as long. */
  readonly keyWindowMs: number
  /** How long events are kept at least; null: for ever. */
  readonly retentionMs: number | null
}

export const logSettings: LogSettings = { keyWindowMs: 7 * 86_400_000, retentionMs: null }

const weekMs = 7 * 86_400_000
/** Within the time that what was appended is looked for. */
const sweepEveryMs = 4_000

/** What the log needs from time to time; safe to run anywhere, also in two processes at once. */
export async function maintainLog(database: Database, settings: LogSettings, now: Date): Promise<void> {
  for (const ahead of [0, weekMs]) {
    const day = dayOf(now.getTime() + ahead)
    await database.asWorker([], (tx) => makeEventPartition(tx, day))
  }
  await database.asWorker([platformTenantId], (tx) => rotateIngestKeys(tx, settings.keyWindowMs))
  if (settings.retentionMs === null) return
  const keptFromMs = await dropOldWeeks(database, now.getTime() - settings.retentionMs)
  if (keptFromMs === null) return
  // A key of an effect outlives every event that could propose it again, those that a sender repeats included.
  const claimsFromMs = Math.min(keptFromMs, now.getTime() - 2 * settings.keyWindowMs)
  await dropWithEvents(database, new Date(keptFromMs).toISOString(), new Date(claimsFromMs).toISOString())
}

/** Runs the sweep and the maintenance until stopped. A failure is told and the next round comes all the same. */
export function keepLog(
  database: Database,
  settings: LogSettings,
  clock: () => Date,
  onFailure: (error: unknown) => void,
): { stop(): Promise<void> } {
  const appended = new AppendWatch(database, 'events')
  const sweep = async (): Promise<void> => {
    if (await appended.isDue()) await sweepEvents(database)
  }
  const rounds = [
    repeat(sweepEveryMs, sweep, onFailure),
    repeat(600_000, () => maintainLog(database, settings, clock()), onFailure),
  ]
  return {
    stop: async () => {
      await Promise.all(rounds.map((round) => round.stop()))
    },
  }
}

/**
 * What only the events that are gone could ask for again: what their runs read, asked and were answered, and the keys of
 * effects that ended; how far back those reach from now on is noted with it.
 */
async function dropWithEvents(database: Database, keptFrom: string, claimsFrom: string): Promise<void> {
  const owners = await database.asWorker([], readLedgerOwners, { access: 'read only' })
  for (const owner of owners) {
    await database.asWorker([owner], async (tx) => {
      await dropEvidence(tx, owner, keptFrom)
      await dropOnce(tx, owner, claimsFrom)
      await dropEffectClaims(tx, owner, claimsFrom)
    })
  }
}

/** Whole weeks that are over the edge, oldest first, until one is still needed. Answers what is kept from, if any went. */
async function dropOldWeeks(database: Database, edgeMs: number): Promise<number | null> {
  const weeks = await database.asWorker([], readEventPartitions, { access: 'read only' })
  const owners = await database.asWorker([], readLedgerOwners, { access: 'read only' })
  let keptFromMs: number | null = null
  for (const week of weeks) {
    const monday = `${week.slice(0, 4)}-${week.slice(4, 6)}-${week.slice(6)}`
    const fromMs = Date.parse(`${monday}T00:00:00Z`)
    if (fromMs + weekMs > edgeMs) return keptFromMs
    const range = { monday, from: new Date(fromMs).toISOString(), to: new Date(fromMs + weekMs).toISOString() }
    if (!(await database.asWorker(owners, (tx) => dropEventWeek(tx, owners, range)))) return keptFromMs
    keptFromMs = fromMs + weekMs
  }
  return keptFromMs
}

function dayOf(instantMs: number): string {
  return new Date(instantMs).toISOString().slice(0, 10)
}

function repeat(everyMs: number, work: () => Promise<void>, onFailure: (error: unknown) => void) {
  let timer: NodeJS.Timeout | null = null
  let stopped = false
  const round = async (): Promise<void> => {
    try {
      await work()
    } catch (error) {
      onFailure(error)
    }
    if (stopped) return
    timer = setTimeout(() => {
      running = round()
    }, everyMs)
    timer.unref()
  }
  let running = round()
  return {
    stop: async () => {
      stopped = true
      if (timer !== null) clearTimeout(timer)
      await running
    },
  }
}
