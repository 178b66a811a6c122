import { capabilityOf } from '../../domain/change.ts'
import { type Counter, type CounterKey, counterId, type Facts } from '../../domain/counters.ts'
import type { TenantId } from '../../domain/ids.ts'
import type { JsonObject } from '../../domain/json.ts'
import { type CounterRow, ensureCounterRows, lockCounters, readCounters, writeCounters } from '../../store/counters.ts'
import type { DomainRow } from '../../store/domains.ts'
import type { Transaction } from '../../store/tenancy.ts'
import type { Item } from './run.ts'

/** Counts older than the longest window a rule may ask for are dropped when a row is written. */
const keptMinutes = 31 * 24 * 60

/**
 * The counts a batch is judged by, locked until it ends, so that a limit holds under any concurrency and across replicas.
 * `principal` is what the counter by operator counts for a proposer that is none.
 */
export async function readFacts(
  tx: Transaction,
  domain: DomainRow,
  items: readonly Item[],
  extra: readonly CounterKey[],
): Promise<Facts> {
  const keys = new Map<string, CounterKey>()
  for (const key of extra) keys.set(counterId(key), key)
  for (const { change } of items) {
    const capability = capabilityOf(change)
    for (const key of [
      { capability, by: 'tenant', value: domain.tenant_id },
      { capability, by: 'capability', value: capability },
    ] as const) {
      keys.set(counterId(key), key)
    }
  }
  const rows = [...keys.values()].map(({ capability, by, value }) => ({ capability, dimension: by, value }))
  await ensureCounterRows(tx, domain.tenant_id, rows)
  const locked = await lockCounters(tx, domain.tenant_id, rows)
  return { counters: Object.fromEntries(locked.map((row) => [counterId(keyOf(row)), counterOf(row)])) }
}

/** Writes the rows that moved. */
export async function writeFacts(
  tx: Transaction,
  domain: DomainRow,
  before: Facts,
  after: Facts,
  nowMs: number,
): Promise<void> {
  const first = Math.floor(nowMs / 60_000) - keptMinutes
  const moved = Object.entries(after.counters)
    .filter(([id, counter]) => before.counters[id] !== counter)
    .map(([, counter]) => ({
      capability: counter.key.capability,
      dimension: counter.key.by,
      value: counter.key.value,
      buckets: {
        since: counter.since,
        minutes: counter.buckets.filter((bucket) => bucket.minute >= first),
      } as unknown as JsonObject,
    }))
  await writeCounters(tx, domain.tenant_id, moved)
}

/** The counts that judging one action takes, as they are right now; nothing is locked. */
export async function glanceAtFacts(tx: Transaction, tenant: TenantId, keys: readonly CounterKey[]): Promise<Facts> {
  const wanted = keys.map(({ capability, by, value }) => ({ capability, dimension: by, value }))
  const rows = wanted.length === 0 ? [] : await readCounters(tx, tenant, wanted)
  return { counters: Object.fromEntries(rows.map((row) => [counterId(keyOf(row)), counterOf(row)])) }
}

function keyOf(row: CounterRow): CounterKey {
  return { capability: row.capability, by: row.dimension, value: row.value }
}

function counterOf(row: CounterRow): Counter {
  const { since, minutes } = row.buckets as unknown as { since?: number; minutes?: Counter['buckets'] }
  return { key: keyOf(row), since: since ?? 0, buckets: minutes ?? [] }
}
