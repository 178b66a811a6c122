import type { TenantId } from '../domain/ids.ts'
import type { JsonObject } from '../domain/json.ts'
import type { Transaction } from './tenancy.ts'

/** Effects of one capability counted by one value: what rates and budgets compare. Buckets are by whole minutes. */
export interface CounterRow {
  readonly capability: string
  readonly dimension: 'tenant' | 'operator' | 'entity' | 'capability'
  readonly value: string
  readonly buckets: JsonObject
}

const selectCounters = `
select c.capability, c.dimension, c.value, c.buckets
  from fibric.effect_counter c
  join unnest($2::text[], $3::text[], $4::text[]) as w (capability, dimension, value)
    on c.capability = w.capability and c.dimension = w.dimension and c.value = w.value
 where c.tenant_id = $1
 order by c.capability, c.dimension, c.value
   for update of c`

/** The counters named, locked until the transaction ends, so that a limit holds under any concurrency. */
export function lockCounters(
  tx: Transaction,
  tenant: TenantId,
  keys: readonly Omit<CounterRow, 'buckets'>[],
): Promise<CounterRow[]> {
  return tx.query<CounterRow>(selectCounters, [
    tenant,
    keys.map((key) => key.capability),
    keys.map((key) => key.dimension),
    keys.map((key) => key.value),
  ])
}

const selectCountersUnlocked = selectCounters.replace('   for update of c', '')

/** The counters named as they are right now: for saying what the gate would say, not for reserving. */
export function readCounters(
  tx: Transaction,
  tenant: TenantId,
  keys: readonly Omit<CounterRow, 'buckets'>[],
): Promise<CounterRow[]> {
  return tx.query<CounterRow>(selectCountersUnlocked, [
    tenant,
    keys.map((key) => key.capability),
    keys.map((key) => key.dimension),
    keys.map((key) => key.value),
  ])
}

const ensureCounters = `
insert into fibric.effect_counter (tenant_id, capability, dimension, value, buckets)
select distinct $1, w.capability, w.dimension, w.value, '{}'::jsonb
  from unnest($2::text[], $3::text[], $4::text[]) as w (capability, dimension, value)
 order by 2, 3, 4
    on conflict do nothing`

const updateCounters = `
update fibric.effect_counter c
   set buckets = w.buckets
  from jsonb_to_recordset($2::jsonb) as w (capability text, dimension text, value text, buckets jsonb)
 where c.tenant_id = $1
   and c.capability = w.capability
   and c.dimension = w.dimension
   and c.value = w.value`

export async function ensureCounterRows(
  tx: Transaction,
  tenant: TenantId,
  keys: readonly Omit<CounterRow, 'buckets'>[],
): Promise<void> {
  await tx.query(ensureCounters, [
    tenant,
    keys.map((key) => key.capability),
    keys.map((key) => key.dimension),
    keys.map((key) => key.value),
  ])
}

export async function writeCounters(tx: Transaction, tenant: TenantId, rows: readonly CounterRow[]): Promise<void> {
  if (rows.length > 0) await tx.query(updateCounters, [tenant, JSON.stringify(rows)])
}
