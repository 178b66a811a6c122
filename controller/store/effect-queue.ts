import type { ActionId, Digest, TenantId } from '../domain/ids.ts'
import type { EffectRow, PlanFacts } from './effects.ts'
import type { Transaction } from './tenancy.ts'

// A loose scan over the domains that have something due, from where the last one ended, so that a domain with a million
// actions costs the others nothing.
const selectRing = `
with recursive ring as (
  (select tenant_id from fibric.effect_queue where tenant_id > $1 and due_at < 'infinity' order by tenant_id limit 1)
  union all
  (select (select q.tenant_id from fibric.effect_queue q
            where q.tenant_id > r.tenant_id and q.due_at < 'infinity' order by q.tenant_id limit 1)
     from ring r
    where r.tenant_id is not null)
)
select r.tenant_id
  from ring r
 where r.tenant_id is not null
   and exists (select from fibric.effect_queue q where q.tenant_id = r.tenant_id and q.due_at <= now())
 limit $2`

/** Domains with something due, in a ring: those after `after` first, then from the beginning. */
export async function readReadyTenants(tx: Transaction, after: string, limit: number): Promise<TenantId[]> {
  const later = await tx.query<{ tenant_id: TenantId }>(selectRing, [after, limit])
  if (later.length >= limit || after === '') return later.map((row) => row.tenant_id)
  const earlier = await tx.query<{ tenant_id: TenantId }>(selectRing, ['', limit - later.length])
  return [...new Set([...later, ...earlier].map((row) => row.tenant_id))]
}

/** An action that is due, with its plan, the key's holder, and the epoch its rules were read at. */
export interface DueRow extends EffectRow, PlanFacts {
  readonly serial: number
  readonly key_holder: ActionId | null
  /** Whether the key's holder has not ended: then the key binds whatever its time says. */
  readonly key_holder_open: boolean
  readonly key_args: Digest | null
  readonly key_authored: boolean | null
  readonly key_until: string | null
  readonly breaker_until: string | null
  /** How often in a row its connection was not done. */
  readonly breaker_failures: number | null
}

// Look-ups by key are lateral with a limit, so that no plan of theirs is a scan of the table.
const selectDue = `
select q.serial, a.*, p.correlation_id, p.event_id, p.source, p.proposer,
       c.action_id as key_holder, coalesce(h.state <> 'applied', false) as key_holder_open, c.args_digest as key_args, c.authored as key_authored, c.binds_until as key_until,
       case when b.open_until > now() then b.open_until end as breaker_until, b.failures as breaker_failures
  from unnest($1::text[]) as t (tenant_id)
 cross join lateral (
   select q.tenant_id, q.action_id, q.serial
     from fibric.effect_queue q
    where q.tenant_id = t.tenant_id
      and q.due_at <= now()
      and not q.action_id = any($3)
      and ($4::text[] is null or q.action_id = any($4))
    order by q.due_at, q.serial
    limit $2) q
 cross join lateral (
   select * from fibric.action a where a.tenant_id = q.tenant_id and a.action_id = q.action_id limit 1) a
 cross join lateral (
   select * from fibric.execution_plan p where p.tenant_id = a.tenant_id and p.plan_id = a.plan_id limit 1) p
  left join lateral (
    select *
      from fibric.effect_claim c
     where c.tenant_id = a.tenant_id
       and c.idempotency_key = a.idempotency_key
     limit 1) c on true
  left join lateral (
    select h.state from fibric.action h where h.tenant_id = c.tenant_id and h.action_id = c.action_id limit 1) h on true
  left join fibric.breaker b on b.tenant_id = a.tenant_id and b.connection = a.effect ->> 'connection'
 order by q.serial`

/** What is due in some domains, up to `perTenant` of each, oldest first; `except` are in hand already, `only` narrows. */
export function readDue(
  tx: Transaction,
  tenants: readonly TenantId[],
  perTenant: number,
  except: readonly ActionId[],
  only: readonly ActionId[] | null = null,
): Promise<DueRow[]> {
  return tx.query<DueRow>(selectDue, [tenants, perTenant, except, only])
}

const enqueue = `
insert into fibric.effect_queue (tenant_id, reseller_id, action_id, entity_key, queued_at, due_at)
select a.tenant_id, a.reseller_id, a.action_id, a.entity_key, now(), now() + $3 * interval '1 millisecond'
  from fibric.action a
 where a.tenant_id = $1
   and a.action_id = any($2)
 order by a.created_at, a.ordinal
    on conflict (tenant_id, action_id) do update set due_at = least(effect_queue.due_at, excluded.due_at)`

/** Puts actions where the executor will find them: behind those that wait for the same entity. */
export async function enqueueEffects(
  tx: Transaction,
  tenant: TenantId,
  ids: readonly ActionId[],
  delayMs = 0,
): Promise<void> {
  if (ids.length > 0) await tx.query(enqueue, [tenant, ids, delayMs])
}

const deferDue = `
update fibric.effect_queue q
   set due_at = now() + w.ms * interval '1 millisecond'
  from unnest($1::text[], $2::text[], $3::bigint[]) as w (tenant_id, action_id, ms)
 where q.tenant_id = w.tenant_id
   and q.action_id = w.action_id
   and q.due_at < 'infinity'`

/** Looks at some actions again later. */
export async function deferEffects(
  tx: Transaction,
  items: readonly { readonly tenantId: TenantId; readonly actionId: ActionId; readonly afterMs: number }[],
): Promise<void> {
  if (items.length === 0) return
  await tx.query(deferDue, [
    items.map((item) => item.tenantId),
    items.map((item) => item.actionId),
    items.map((item) => Math.ceil(item.afterMs)),
  ])
}
