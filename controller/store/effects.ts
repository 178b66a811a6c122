import type { ActionId, Digest, PlanId, TenantId } from '../domain/ids.ts'
import type { JsonObject } from '../domain/json.ts'
import type { LedgerEntry } from '../domain/receipt.ts'
import type { ActionRow } from './actions.ts'
import type { Transaction } from './tenancy.ts'

/** An action with what only effects have. */
export interface EffectRow extends ActionRow {
  readonly reseller_id: string | null
  readonly effect: JsonObject
  readonly attempt: JsonObject | null
  readonly fence: number | null
  readonly intent_at: string | null
}

/** Of the plan an action belongs to. */
export interface PlanFacts {
  readonly correlation_id: string
  readonly event_id: string | null
  readonly source: JsonObject
  readonly proposer: JsonObject
}

export interface NewEffect {
  readonly actionId: ActionId
  readonly planId: PlanId
  readonly ordinal: number
  readonly capability: string
  readonly connection: string
  readonly tool: string
  readonly entityKey: string
  readonly idempotencyKey: string
  readonly tier: number
  readonly args: JsonObject
  readonly gateInput: JsonObject
  readonly effect: JsonObject
  /** Actions of the same plan that must end applied or deduplicated first. */
  readonly after: readonly ActionId[]
  readonly state: 'planned' | 'rejected' | 'skipped'
  readonly cause: string | null
  /** Of one that was rejected. */
  readonly receipt: LedgerEntry | null
  /** Whether it may be taken on at once. */
  readonly ready: boolean
}

const insertPlans = `
insert into fibric.execution_plan (tenant_id, reseller_id, plan_id, config_plan_id, correlation_id, event_id, proposer, source, engine, created_at)
select tenant_id, reseller_id, plan_id, null, correlation_id, event_id, proposer, source, $2, $3
  from jsonb_to_recordset($1::jsonb) as w (tenant_id text, reseller_id text, plan_id text, correlation_id text, event_id text,
       proposer jsonb, source jsonb)
    on conflict (tenant_id, plan_id) do nothing`

export interface NewPlan extends PlanFacts {
  readonly tenant_id: TenantId
  readonly reseller_id: string | null
  readonly plan_id: PlanId
}

const insertEffects = `
with given as (
  select *
    from jsonb_to_recordset($1::jsonb) as w (
         tenant_id text, reseller_id text, action_id text, plan_id text, ordinal integer, capability text, connection text,
         tool text, entity_key text, idempotency_key text, tier smallint, args jsonb, gate_input jsonb, effect jsonb,
         after text[], state text, cause text, receipt_id text, ready boolean)
), proposed as (
  insert into fibric.action (tenant_id, reseller_id, action_id, plan_id, ordinal, capability, connection, tool, entity_key,
         idempotency_key, tier, args, authors, gate_input, effect, after, state, cause, receipt_id, created_at, state_at)
  select tenant_id, reseller_id, action_id, plan_id, ordinal, capability, connection, tool, entity_key, idempotency_key, tier,
         args, '[]', gate_input, effect, after, state, cause, receipt_id, $2, $2
    from given
), entries as (
  insert into fibric.ledger_entry (tenant_id, reseller_id, entry_id, kind, bytes, leaf, created_at)
  select g.tenant_id, g.reseller_id, e.entry_id, e.kind, e.bytes, e.leaf, $2
    from unnest($3::text[], $4::text[], $5::bytea[], $6::bytea[]) as e (entry_id, kind, bytes, leaf)
    join given g on g.receipt_id = e.entry_id
)
insert into fibric.effect_queue (tenant_id, reseller_id, action_id, entity_key, queued_at, due_at)
select tenant_id, reseller_id, action_id, entity_key, now(), now()
  from given
 where ready`

/** Writes plans with their actions: those that wait, those that may start, and those that were refused with their receipts. */
export async function proposeEffects(
  tx: Transaction,
  plans: readonly { readonly plan: NewPlan; readonly effects: readonly NewEffect[] }[],
  engine: string,
  now: string,
): Promise<void> {
  if (plans.length === 0) return
  await tx.query(insertPlans, [JSON.stringify(plans.map(({ plan }) => plan)), engine, now])
  const rows = plans.flatMap(({ plan, effects }) => effects.map((each) => rowOf(plan, each)))
  const entries = plans.flatMap(({ effects }) => effects.flatMap((each) => each.receipt ?? []))
  await tx.query(insertEffects, [
    JSON.stringify(rows),
    now,
    entries.map((entry) => entry.id),
    entries.map((entry) => entry.kind),
    entries.map((entry) => entry.bytes),
    entries.map((entry) => entry.leaf),
  ])
}

function rowOf({ tenant_id, reseller_id }: NewPlan, effect: NewEffect) {
  return {
    tenant_id,
    reseller_id,
    action_id: effect.actionId,
    plan_id: effect.planId,
    ordinal: effect.ordinal,
    capability: effect.capability,
    connection: effect.connection,
    tool: effect.tool,
    entity_key: effect.entityKey,
    idempotency_key: effect.idempotencyKey,
    tier: effect.tier,
    args: effect.args,
    gate_input: effect.gateInput,
    effect: effect.effect,
    after: effect.after,
    state: effect.state,
    cause: effect.cause,
    receipt_id: effect.receipt?.id ?? null,
    ready: effect.ready,
  }
}

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

const selectEffects = `
select a.*, p.correlation_id, p.event_id, p.source, p.proposer
  from fibric.action a
  join fibric.execution_plan p on p.tenant_id = a.tenant_id and p.plan_id = a.plan_id
 where a.tenant_id = any($1)
   and a.action_id = any($2)
   and a.effect is not null`

export function readEffects(
  tx: Transaction,
  tenants: readonly TenantId[],
  ids: readonly ActionId[],
): Promise<(EffectRow & PlanFacts)[]> {
  return tx.query(selectEffects, [tenants, ids])
}

const lockQueued = `select action_id from fibric.effect_queue where tenant_id = $1 and action_id = $2 for update`

const lockEffect = `${selectEffects} for update of a`

/** One action, locked in the order every claim locks: its place in the queue first. */
export async function lockEffectRow(
  tx: Transaction,
  tenant: TenantId,
  id: ActionId,
): Promise<(EffectRow & PlanFacts) | null> {
  await tx.query(lockQueued, [tenant, id])
  const [row] = await tx.query<EffectRow & PlanFacts>(lockEffect, [[tenant], [id]])
  return row ?? null
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

const selectSiblings = `
select a.*, p.correlation_id, p.event_id, p.source, p.proposer,
       exists (select from fibric.effect_queue q where q.tenant_id = a.tenant_id and q.action_id = a.action_id) as queued
  from fibric.action a
  join fibric.execution_plan p on p.tenant_id = a.tenant_id and p.plan_id = a.plan_id
 where a.tenant_id = $1
   and a.plan_id = $2
 order by a.action_id
   for update of a`

export type Sibling = EffectRow & PlanFacts & { readonly queued: boolean }

/** The actions of a plan in its order, locked in the order every statement locks actions, and whether each is queued. */
export async function lockPlanEffects(tx: Transaction, tenant: TenantId, plan: PlanId): Promise<Sibling[]> {
  const rows = await tx.query<Sibling>(selectSiblings, [tenant, plan])
  return rows.toSorted((a, b) => a.ordinal - b.ordinal)
}

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

// Two rules may read one counter over different windows: each minute of it is answered once, from the earliest on.
const selectCounts = `
select m.tenant_id, m.capability, m.dimension, m.value, m.minute, m.currency, m.count, m.total
  from (select tenant_id, capability, dimension, value, min(since) as since
          from jsonb_to_recordset($1::jsonb) as w (tenant_id text, capability text, dimension text, value text, since bigint)
         group by tenant_id, capability, dimension, value) w
  join fibric.effect_minute m
    on m.tenant_id = w.tenant_id and m.capability = w.capability and m.dimension = w.dimension and m.value = w.value
   and m.minute >= w.since and (m.count <> 0 or m.total <> 0)`

export interface MinuteRow {
  readonly tenant_id: TenantId
  readonly capability: string
  readonly dimension: 'tenant' | 'operator' | 'entity' | 'capability'
  readonly value: string
  readonly minute: number
  readonly currency: string
  readonly count: number
  readonly total: string
}

/** What was counted, minute by minute, from a minute on. */
export async function readMinutes(
  tx: Transaction,
  wanted: readonly {
    readonly tenant_id: TenantId
    readonly capability: string
    readonly dimension: string
    readonly value: string
    readonly since: number
  }[],
): Promise<MinuteRow[]> {
  return wanted.length === 0 ? [] : tx.query<MinuteRow>(selectCounts, [JSON.stringify(wanted)])
}

const selectOpenEffects = `
select *
  from fibric.action
 where tenant_id = any($1)
   and state in ('planned', 'held', 'intent', 'waiting', 'unknown', 'reconciling', 'manual')
   and effect is not null
   and ($2::text is null or state = $2)
 order by created_at, ordinal`

/** Effects that have not ended. */
export function readOpenEffects(
  tx: Transaction,
  tenants: readonly TenantId[],
  state: string | null,
): Promise<EffectRow[]> {
  return tx.query<EffectRow>(selectOpenEffects, [tenants, state])
}

const selectByEvent = `
select a.action_id
  from fibric.execution_plan p
 cross join lateral (
   select action_id from fibric.action a where a.tenant_id = p.tenant_id and a.plan_id = p.plan_id offset 0) a
 where p.tenant_id = any($1)
   and p.event_id = $2
 limit 1000`

/** Actions that an event led to. */
export async function readActionsOfEvent(
  tx: Transaction,
  tenants: readonly TenantId[],
  eventId: string,
): Promise<ActionId[]> {
  const rows = await tx.query<{ action_id: ActionId }>(selectByEvent, [tenants, eventId])
  return rows.map((row) => row.action_id)
}

// An undo belongs to the story of what it undoes, by the correlation.
const selectUndoing = `
select a.action_id
  from fibric.execution_plan p
 cross join lateral (
   select action_id from fibric.action a where a.tenant_id = p.tenant_id and a.plan_id = p.plan_id offset 0) a
 where p.tenant_id = any($1)
   and p.correlation_id = any($2)
   and p.source ->> 'undoes' = any($3)
 limit 1000`

/** Actions that undo some others. */
export async function readUndoing(
  tx: Transaction,
  tenants: readonly TenantId[],
  undone: readonly Pick<EffectRow & PlanFacts, 'action_id' | 'correlation_id'>[],
): Promise<ActionId[]> {
  if (undone.length === 0) return []
  const correlations = [...new Set(undone.map((row) => row.correlation_id))]
  const ids = undone.map((row) => row.action_id)
  const rows = await tx.query<{ action_id: ActionId }>(selectUndoing, [tenants, correlations, ids])
  return rows.map((row) => row.action_id)
}
