import type { ActionId, TenantId } from '../domain/ids.ts'
import type { JsonObject } from '../domain/json.ts'
import type { Transaction } from './tenancy.ts'

const selectExpired = `
select tenant_id, action_id
  from fibric.lease
 where until < clock_timestamp()
 order by until
 limit $1`

/** Actions whose executor did not come back in time, of every domain: without payload. */
export function readExpiredLeases(
  tx: Transaction,
  limit: number,
): Promise<{ tenant_id: TenantId; action_id: ActionId }[]> {
  return tx.query(selectExpired, [limit])
}

const selectHolders = `
select entity_key, action_id
  from fibric.lease
 where tenant_id = $1
   and entity_key = any($2)`

/** Which action has each of some entities. */
export async function readHolders(
  tx: Transaction,
  tenant: TenantId,
  entities: readonly string[],
): Promise<Map<string, ActionId>> {
  const rows = await tx.query<{ entity_key: string; action_id: ActionId }>(selectHolders, [tenant, entities])
  return new Map(rows.map((row) => [row.entity_key, row.action_id]))
}

const bumpFences = `
update fibric.action
   set fence = nextval('fibric.fence')
 where tenant_id = $1
   and action_id = $2
returning fence`

/** Takes an action away from whoever has it: from here on only this token settles it. */
export async function bumpFence(tx: Transaction, tenant: TenantId, action: ActionId): Promise<number> {
  const [row] = await tx.query<{ fence: number }>(bumpFences, [tenant, action])
  return row!.fence
}

// An entity whose waiters nobody woke: whoever was to do it was killed between two commits, or came in between.
const wakeStranded = `
select fibric.wake_waiters(array_agg(w.tenant_id), array_agg(w.entity_key))
  from (select distinct q.tenant_id, q.entity_key
          from fibric.effect_queue q
         where q.tenant_id = any($1)
           and q.due_at = 'infinity'
           and not exists (select from fibric.lease l where l.tenant_id = q.tenant_id and l.entity_key = q.entity_key)
           and not exists (select from fibric.effect_queue f
                            where f.tenant_id = q.tenant_id and f.entity_key = q.entity_key and f.serial < q.serial
                              and f.due_at < 'infinity')) w
having count(*) > 0`

export async function wakeStrandedWaiters(tx: Transaction, tenants: readonly TenantId[]): Promise<void> {
  await tx.query(wakeStranded, [tenants])
}

const selectWaitingTenants = `select distinct tenant_id from fibric.effect_queue where due_at = 'infinity'`

export async function readTenantsWithWaiters(tx: Transaction): Promise<TenantId[]> {
  const rows = await tx.query<{ tenant_id: TenantId }>(selectWaitingTenants)
  return rows.map((row) => row.tenant_id)
}

const updateLate = `
update fibric.action
   set attempt = coalesce(attempt, '{}') || jsonb_build_object('late', $3::jsonb)
 where tenant_id = $1
   and action_id = $2`

/** Keeps an answer that came after its action was somebody else's, as evidence. */
export async function noteLateAnswer(
  tx: Transaction,
  tenant: TenantId,
  action: ActionId,
  late: JsonObject,
): Promise<void> {
  await tx.query(updateLate, [tenant, action, JSON.stringify(late)])
}

const selectLost = `
select w.action_id
  from unnest($2::text[], $3::bigint[]) as w (action_id, fence)
  left join fibric.action a on a.tenant_id = any($1) and a.action_id = w.action_id
 where a.fence is distinct from w.fence`

/** Of some actions, those that somebody else has by now. */
export async function readLostFences(
  tx: Transaction,
  tenants: readonly TenantId[],
  held: readonly { readonly action: ActionId; readonly fence: number }[],
): Promise<ActionId[]> {
  const rows = await tx.query<{ action_id: ActionId }>(selectLost, [
    tenants,
    held.map((each) => each.action),
    held.map((each) => each.fence),
  ])
  return rows.map((row) => row.action_id)
}
