import type { Address, Digest, PlanId, TenantId } from '../domain/ids.ts'
import type { Transaction } from './tenancy.ts'

export interface RunRow {
  readonly tenant_id: TenantId
  readonly run_id: string
  readonly operator_id: string
  readonly operator: Address
  /** Names one delivery of one event to one operator: a replay is another one. */
  readonly delivery_id: string
  readonly event_id: string | null
  readonly correlation_id: string
  readonly depth: number
  readonly state: 'begun' | 'recorded' | 'rejected' | 'dead'
  readonly deaths: number
  readonly cause: string | null
  readonly plan_id: PlanId | null
  /** What it saw, where its event alone does not say. */
  readonly witness_digest: Digest | null
  readonly entry_id: string | null
  readonly created_at: string
  readonly ended_at: string | null
}

const selectRun = `select * from fibric.run where tenant_id = $1 and operator_id = $2 and delivery_id = $3`

export async function findRun(
  tx: Transaction,
  tenant: TenantId,
  operatorId: string,
  deliveryId: string,
): Promise<RunRow | null> {
  const [row] = await tx.query<RunRow>(selectRun, [tenant, operatorId, deliveryId])
  return row ?? null
}

const upsertBegun = `
insert into fibric.run as r (tenant_id, reseller_id, run_id, operator_id, operator, delivery_id, event_id, correlation_id, depth,
       state, deaths, cause, created_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'begun', $10, $11, $12)
    on conflict (tenant_id, operator_id, delivery_id) do update
   set deaths = excluded.deaths, cause = excluded.cause
 where r.state = 'begun'`

/**
 * Notes that a run is about to begin (no cause), or died once more and of what. It is there for whoever comes after a process
 * that died, which loses nothing of it; a crash of the server may, and costs one death that is not counted.
 */
export async function beginRun(
  tx: Transaction,
  resellerId: string | null,
  run: Omit<RunRow, 'state' | 'plan_id' | 'witness_digest' | 'entry_id' | 'ended_at'>,
): Promise<void> {
  const unhurried = tx.execute(`select set_config('synchronous_commit', 'off', true)`)
  const noted = tx.query(upsertBegun, [
    run.tenant_id,
    resellerId,
    run.run_id,
    run.operator_id,
    run.operator,
    run.delivery_id,
    run.event_id,
    run.correlation_id,
    run.depth,
    run.deaths,
    run.cause,
    run.created_at,
  ])
  await Promise.all([unhurried, noted])
}

const upsertRuns = `
insert into fibric.run as r (tenant_id, reseller_id, run_id, operator_id, operator, delivery_id, event_id, correlation_id, depth,
       state, deaths, cause, plan_id, witness_digest, entry_id, created_at, ended_at)
select tenant_id, reseller_id, run_id, operator_id, operator, delivery_id, event_id, correlation_id, depth, state, deaths, cause,
       plan_id, witness_digest, entry_id, created_at, ended_at
  from jsonb_to_recordset($1::jsonb) as w (tenant_id text, reseller_id text, run_id text, operator_id text, operator text,
       delivery_id text, event_id text, correlation_id text, depth integer, state text, deaths integer, cause text, plan_id text,
       witness_digest text, entry_id text, created_at timestamptz, ended_at timestamptz)
 order by tenant_id, operator_id, delivery_id
    on conflict (tenant_id, operator_id, delivery_id) do update
   set state = excluded.state, deaths = greatest(r.deaths, excluded.deaths), cause = excluded.cause, plan_id = excluded.plan_id,
       witness_digest = excluded.witness_digest, entry_id = excluded.entry_id, ended_at = excluded.ended_at
 where r.state = 'begun'
returning delivery_id, operator_id`

/**
 * Notes runs, or how far they came. Answers those that were noted: the others had ended by another delivery of the same
 * event, and nothing of this one may be kept. No two of one delivery.
 */
export async function writeRuns(
  tx: Transaction,
  runs: readonly (RunRow & { readonly reseller_id: string | null })[],
): Promise<(run: Pick<RunRow, 'operator_id' | 'delivery_id'>) => boolean> {
  if (runs.length === 0) return () => false
  const rows = await tx.query<{ delivery_id: string; operator_id: string }>(upsertRuns, [JSON.stringify(runs)])
  const noted = new Set(rows.map((row) => `${row.operator_id} ${row.delivery_id}`))
  return (run) => noted.has(`${run.operator_id} ${run.delivery_id}`)
}

// Each way by its own index: an `or` over them would read every run there was.
const selectRuns = `
select * from fibric.run where tenant_id = any($1) and run_id = $2
 union
select * from fibric.run where tenant_id = any($1) and event_id = $2
 union
select * from fibric.run where tenant_id = any($1) and correlation_id = $2
 order by run_id desc
 limit $3`

/** Runs by their own id, or by the event or correlation they belong to; the latest first. */
export function readRuns(tx: Transaction, tenants: readonly TenantId[], id: string, limit: number): Promise<RunRow[]> {
  return tx.query<RunRow>(selectRuns, [tenants, id, limit])
}

const selectLastRun = `select * from fibric.run where tenant_id = $1 and operator = $2 order by run_id desc limit 1`

/** The latest run of an operator; null when there was none. */
export async function readLastRun(tx: Transaction, tenant: TenantId, operator: Address): Promise<RunRow | null> {
  const [row] = await tx.query<RunRow>(selectLastRun, [tenant, operator])
  return row ?? null
}

const selectStuckRuns = `
select *
  from fibric.run
 where tenant_id = $1
   and operator = $2
   and state = 'begun'
   and cause is not null
 order by run_id
 limit 20`

/** Runs of an operator that are tried again: what is behind them in their stream waits. */
export function readStuckRuns(tx: Transaction, tenant: TenantId, operator: Address): Promise<RunRow[]> {
  return tx.query<RunRow>(selectStuckRuns, [tenant, operator])
}

const selectPauses = `select tenant_id, address, reason, person, created_at from fibric.operator_pause where tenant_id = any($1)`

export interface PauseRow {
  readonly tenant_id: TenantId
  readonly address: Address
  readonly reason: string
  readonly person: string
  readonly created_at: string
}

export function readPauses(tx: Transaction, tenants: readonly TenantId[]): Promise<PauseRow[]> {
  return tx.query<PauseRow>(selectPauses, [tenants])
}

const insertPause = `
insert into fibric.operator_pause (tenant_id, address, reason, person, created_at)
values ($1, $2, $3, $4, $5)
    on conflict (tenant_id, address) do nothing
returning address`

/** False when it was paused before. */
export async function writePause(tx: Transaction, pause: PauseRow): Promise<boolean> {
  const { tenant_id, address, reason, person, created_at } = pause
  return (await tx.query(insertPause, [tenant_id, address, reason, person, created_at])).length === 1
}

const deletePause = `delete from fibric.operator_pause where address = $1 returning address`

export async function removePause(tx: Transaction, address: Address): Promise<boolean> {
  return (await tx.query(deletePause, [address])).length === 1
}
