import type { ActionId, PlanId, TenantId } from '../domain/ids.ts'
import type { Transaction } from './tenancy.ts'

const selectStranded = `
select distinct a.tenant_id, a.plan_id
  from fibric.action a
 where a.tenant_id = any($1)
   and a.state = 'planned'
   and a.effect is not null
   and a.after <> '{}'
   and not exists (select from fibric.effect_queue q where q.tenant_id = a.tenant_id and q.action_id = a.action_id)
   and (exists (select from fibric.action b
                 where b.tenant_id = a.tenant_id
                   and b.action_id = any(a.after)
                   and b.receipt_id is not null
                   and b.state not in ('applied', 'deduplicated'))
        or not exists (select from fibric.action b
                        where b.tenant_id = a.tenant_id
                          and b.action_id = any(a.after)
                          and b.receipt_id is null))
 limit 100`

/** Plans with an action whose turn, or whose end, has come without anybody saying so: somebody was killed between two commits. */
export function readStrandedPlans(
  tx: Transaction,
  tenants: readonly TenantId[],
): Promise<{ tenant_id: TenantId; plan_id: PlanId }[]> {
  return tx.query(selectStranded, [tenants])
}

const selectExpiredHolds = `
select a.tenant_id, a.action_id
  from fibric.action a
 where a.tenant_id = any($1)
   and a.state = 'held'
   and a.effect is not null
   and a.expires_at <= $2
 limit 100`

/** Holds whose time is over. */
export function readExpiredHolds(
  tx: Transaction,
  tenants: readonly TenantId[],
  now: string,
): Promise<{ tenant_id: TenantId; action_id: ActionId }[]> {
  return tx.query(selectExpiredHolds, [tenants, now])
}

const selectAnsweredHolds = `
select a.tenant_id, a.action_id
  from fibric.action a
 where a.tenant_id = any($1)
   and a.state = 'held'
   and a.effect is not null
   and not exists (select from fibric.effect_queue q where q.tenant_id = a.tenant_id and q.action_id = a.action_id)
   and exists (select from fibric.approval p
                where p.tenant_id = a.tenant_id and p.action_id = a.action_id and p.created_at > a.state_at)
 limit 100`

/** Holds with an answer that came after they were last judged, and that nobody queued. */
export function readAnsweredHolds(
  tx: Transaction,
  tenants: readonly TenantId[],
): Promise<{ tenant_id: TenantId; action_id: ActionId }[]> {
  return tx.query(selectAnsweredHolds, [tenants])
}
