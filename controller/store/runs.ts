import type { Address, PlanId, TenantId } from '../domain/ids.ts'
import type { JsonObject } from '../domain/json.ts'
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
  readonly reasoning: JsonObject | null
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

const upsertRun = `
insert into fibric.run as r (tenant_id, reseller_id, run_id, operator_id, operator, delivery_id, event_id, correlation_id, depth,
       state, deaths, cause, plan_id, reasoning, entry_id, created_at, ended_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
    on conflict (tenant_id, operator_id, delivery_id) do update
   set state = excluded.state, deaths = excluded.deaths, cause = excluded.cause, plan_id = excluded.plan_id,
       reasoning = excluded.reasoning, entry_id = excluded.entry_id, ended_at = excluded.ended_at
 where r.state = 'begun'
returning run_id`

/** Notes a run, or how far it came. False when another delivery of the same event ended it meanwhile. */
export async function writeRun(tx: Transaction, resellerId: string | null, run: RunRow): Promise<boolean> {
  const rows = await tx.query(upsertRun, [
    run.tenant_id,
    resellerId,
    run.run_id,
    run.operator_id,
    run.operator,
    run.delivery_id,
    run.event_id,
    run.correlation_id,
    run.depth,
    run.state,
    run.deaths,
    run.cause,
    run.plan_id,
    run.reasoning && JSON.stringify(run.reasoning),
    run.entry_id,
    run.created_at,
    run.ended_at,
  ])
  return rows.length === 1
}

const selectRuns = `
select *
  from fibric.run
 where tenant_id = any($1)
   and ($2::text is null or operator = $2)
   and ($3::text is null or run_id = $3 or event_id = $3 or correlation_id = $3 or plan_id = $3)
 order by run_id desc
 limit $4`

export function readRuns(
  tx: Transaction,
  query: {
    readonly tenants: readonly TenantId[]
    readonly operator?: string | null
    readonly id?: string | null
    readonly limit: number
  },
): Promise<RunRow[]> {
  return tx.query<RunRow>(selectRuns, [query.tenants, query.operator ?? null, query.id ?? null, query.limit])
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
