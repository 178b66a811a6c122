import type { ActionState } from '../domain/action-machine.ts'
import type { ActionId, TenantId } from '../domain/ids.ts'
import type { ActionRow } from './actions.ts'
import type { Transaction } from './tenancy.ts'

/** An action that has not ended, with everything that may keep it from moving on. */
export interface WaitRow extends ActionRow {
  /** Those of its plan that have to end well first, and have not. */
  readonly before: readonly { readonly action_id: ActionId; readonly capability: string; readonly state: ActionState }[]
  /** Null: it is not queued, or not before its entity is free. */
  readonly due_at: string | null
  readonly holder: ActionId | null
  readonly holder_state: ActionState | null
  readonly stopped_by: string | null
  readonly stop_reason: string | null
  readonly breaker_until: string | null
  readonly breaker_reason: string | null
  readonly late_kind: string | null
}

// The stop is found by what the claim's statement finds it by.
const stopSpeaks = `case s.scope
         when 'tenant' then true
         when 'operator' then s.name = a.effect ->> 'operator'
         when 'connection' then s.name = a.effect ->> 'connection'
         else a.capability ~ s.pattern
       end`

const selectWaits = `
select a.*,
       coalesce((select jsonb_agg(jsonb_build_object('action_id', b.action_id, 'capability', b.capability, 'state', b.state) order by b.ordinal)
                   from fibric.action b
                  where b.tenant_id = a.tenant_id and b.action_id = any(a.after) and b.state not in ('applied', 'deduplicated')), '[]') as before,
       case when q.due_at < 'infinity' then q.due_at end as due_at,
       h.action_id as holder, h.state as holder_state,
       s.person as stopped_by, s.reason as stop_reason,
       b.open_until as breaker_until, b.reason as breaker_reason,
       a.attempt #>> '{late,kind}' as late_kind
  from fibric.action a
  join fibric.execution_plan p on p.tenant_id = a.tenant_id and p.plan_id = a.plan_id
  left join fibric.effect_queue q on q.tenant_id = a.tenant_id and q.action_id = a.action_id
  left join fibric.lease l on l.tenant_id = a.tenant_id and l.entity_key = a.entity_key and l.action_id <> a.action_id
  left join fibric.action h on h.tenant_id = l.tenant_id and h.action_id = l.action_id
  left join fibric.breaker b on b.tenant_id = a.tenant_id and b.connection = a.effect ->> 'connection' and b.open_until > now()
  left join lateral (
    select s.person, s.reason
      from fibric.stop s
     where s.tenant_id = a.tenant_id
       and s.ended_at is null
       and ${stopSpeaks}
     limit 1) s on true
 where a.tenant_id = any($1)
   and a.effect is not null
   and a.state in ('planned', 'held', 'intent', 'waiting', 'unknown', 'reconciling', 'manual')
   and ($2 in (a.action_id, a.plan_id, a.entity_key, a.effect ->> 'connection', p.source ->> 'operator'))
 order by a.created_at, a.ordinal
 limit 100`

/** Open effects that an id names: an action's, a plan's, an entity's, or the address of a Connection or an Operator. */
export function readWaits(tx: Transaction, tenants: readonly TenantId[], id: string): Promise<WaitRow[]> {
  return tx.query<WaitRow>(selectWaits, [tenants, id])
}

const selectStopped = `
select distinct on (a.tenant_id, a.action_id) a.action_id, s.person, s.reason
  from fibric.stop s
  join fibric.action a on a.tenant_id = s.tenant_id
 where s.tenant_id = any($1)
   and s.ended_at is null
   and a.effect is not null
   and a.state in ('planned', 'waiting', 'unknown')
   and ${stopSpeaks}
 order by a.tenant_id, a.action_id, s.created_at`

/** Actions that a stop holds back: those that would be carried out or looked into if there were none. */
export function readStopped(
  tx: Transaction,
  tenants: readonly TenantId[],
): Promise<{ readonly action_id: ActionId; readonly person: string; readonly reason: string }[]> {
  return tx.query(selectStopped, [tenants])
}
