import type { Principal } from '../domain/identity.ts'
import type { Digest, PlanId, TenantId } from '../domain/ids.ts'
import type { JsonObject } from '../domain/json.ts'
import type { Transaction } from './tenancy.ts'

export interface ExecutionPlanRow {
  readonly tenant_id: TenantId
  readonly plan_id: PlanId
  readonly config_plan_id: Digest | null
  readonly correlation_id: string
  readonly event_id: string | null
  readonly proposer: Principal
  readonly source: JsonObject
  readonly created_at: string
}

const insertPlan = `
insert into fibric.execution_plan (tenant_id, reseller_id, plan_id, config_plan_id, correlation_id, event_id, proposer, source, engine, created_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
    on conflict (tenant_id, plan_id) do nothing`

export async function writeExecutionPlan(
  tx: Transaction,
  resellerId: string | null,
  engine: string,
  plan: ExecutionPlanRow,
): Promise<void> {
  await tx.query(insertPlan, [
    plan.tenant_id,
    resellerId,
    plan.plan_id,
    plan.config_plan_id,
    plan.correlation_id,
    plan.event_id,
    JSON.stringify(plan.proposer),
    JSON.stringify(plan.source),
    engine,
    plan.created_at,
  ])
}

const selectPlans = `
select *
  from fibric.execution_plan
 where tenant_id = any($1)
   and ($2::text is null or plan_id < $2)
 order by plan_id desc
 limit $3`

export function readExecutionPlans(
  tx: Transaction,
  tenants: readonly TenantId[],
  before: string | null,
  limit: number,
): Promise<ExecutionPlanRow[]> {
  return tx.query<ExecutionPlanRow>(selectPlans, [tenants, before, limit])
}

const selectPlansById = `
select *
  from fibric.execution_plan
 where tenant_id = any($1)
   and plan_id = any($2)`

export function readPlansById(
  tx: Transaction,
  tenants: readonly TenantId[],
  ids: readonly PlanId[],
): Promise<ExecutionPlanRow[]> {
  return tx.query<ExecutionPlanRow>(selectPlansById, [tenants, ids])
}
