import type { TenantId } from '../domain/ids.ts'
import type { Database } from '../store/connect.ts'
import { readLedgerOwners } from '../store/domains.ts'
import { doorbellOf } from '../store/event-doorbell.ts'
import { giveEventPositions, readUnsequencedLanes, type Sequenced, sequenceBatchMax } from '../store/event-lanes.ts'

/** Gives positions soon after each append of this process. What a killed process left over, the sweep finds. */
export interface Sequencer {
  /** There may be something to do for these domains. */
  ring(tenants: readonly TenantId[]): void
  /** Resolves when everything that was rung for has its position, or could not be given one now. */
  settled(): Promise<void>
}

const tenantsMax = 64

/** Gives positions to every committed event of some domains. Safe to run anywhere at any time: lanes are fenced. */
export async function sequenceEvents(database: Database, tenants: readonly TenantId[]): Promise<void> {
  for (let remaining = [...tenants]; remaining.length > 0; ) {
    const given = await sequenceOnce(database, remaining.slice(0, tenantsMax))
    // Who had a full look's worth comes again, after the others.
    const more = given.filter((lane) => lane.given === sequenceBatchMax).map((lane) => lane.tenant_id)
    remaining = [...remaining.slice(tenantsMax), ...more]
  }
}

/** Positions for what killed processes left without: every domain is looked at. */
export async function sweepEvents(database: Database): Promise<void> {
  const owners = await database.asWorker([], readLedgerOwners, { access: 'read only' })
  if (owners.length === 0) return
  const behind = await database.asWorker(owners, (tx) => readUnsequencedLanes(tx, owners), { access: 'read only' })
  await sequenceEvents(database, behind)
}

async function sequenceOnce(database: Database, tenants: readonly TenantId[]): Promise<Sequenced[]> {
  const given = await database.asWorker(tenants, (tx) => giveEventPositions(tx, tenants), { oneTrip: true })
  const doorbell = doorbellOf(database)
  for (const lane of given) doorbell.ring(lane.tenant_id)
  return given
}

const sequencers = new WeakMap<Database, Sequencer>()

/** The one sequencer of a database in this process. */
export function sequencerOf(database: Database): Sequencer {
  const known = sequencers.get(database)
  if (known) return known
  const waiting = new Set<TenantId>()
  let running: Promise<void> | null = null
  const run = async (): Promise<void> => {
    while (waiting.size > 0) {
      const tenants = [...waiting].slice(0, tenantsMax)
      for (const tenant of tenants) waiting.delete(tenant)
      try {
        // One look each, then whoever rang meanwhile: a domain that is flooded keeps no other waiting.
        const given = await sequenceOnce(database, tenants)
        for (const lane of given) if (lane.given === sequenceBatchMax) waiting.add(lane.tenant_id)
      } catch {
        // The events are committed and lose nothing by waiting: the sweep comes by, here or in another process.
      }
    }
    running = null
  }
  const sequencer: Sequencer = {
    ring(tenants) {
      for (const tenant of tenants) waiting.add(tenant)
      running ??= run()
    },
    settled: async () => {
      while (running) await running
    },
  }
  sequencers.set(database, sequencer)
  return sequencer
}
