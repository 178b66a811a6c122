import type { ActionId, PlanId, TenantId } from '../domain/ids.ts'
import type { JsonObject } from '../domain/json.ts'
import type { LedgerEntry } from '../domain/receipt.ts'
import type { ActionRow } from './actions.ts'
import type { ClaimItem } from './claims.ts'
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
         after text[], state text, cause text, receipt_id text, ready boolean, fence bigint, verdict jsonb, policy_digest text,
         attempt jsonb)
), proposed as (
  insert into fibric.action (tenant_id, reseller_id, action_id, plan_id, ordinal, capability, connection, tool, entity_key,
         idempotency_key, tier, args, authors, gate_input, effect, after, state, cause, receipt_id, created_at, state_at,
         fence, verdict, policy_digest, attempt, attempts, intent_at)
  select tenant_id, reseller_id, action_id, plan_id, ordinal, capability, connection, tool, entity_key, idempotency_key, tier,
         args, '[]', gate_input, effect, after, state, cause, receipt_id, $2::timestamptz, $2,
         fence, verdict, policy_digest, attempt, case state when 'intent' then 1 else 0 end, case state when 'intent' then $2::timestamptz end
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

/** The claim of an action that is recorded in its first intent. */
export type ClaimedEffect = Pick<ClaimItem, 'verdict' | 'facts' | 'policyDigest' | 'attempt'> & {
  readonly fence: number
}

/**
 * Writes plans with their actions: those that wait, those that may start, those whose intent was claimed in this transaction,
 * and those that were refused with their receipts.
 */
export async function proposeEffects(
  tx: Transaction,
  plans: readonly { readonly plan: NewPlan; readonly effects: readonly NewEffect[] }[],
  engine: string,
  now: string,
  claimed: ReadonlyMap<ActionId, ClaimedEffect>,
): Promise<void> {
  if (plans.length === 0) return
  const rows = plans.flatMap(({ plan, effects }) =>
    effects.map((each) => ({ ...rowOf(plan, each), ...claimOf(each, claimed.get(each.actionId)) })),
  )
  const entries = plans.flatMap(({ effects }) => effects.flatMap((each) => each.receipt ?? []))
  await Promise.all([
    tx.query(insertPlans, [JSON.stringify(plans.map(({ plan }) => plan)), engine, now]),
    tx.query(insertEffects, [
      JSON.stringify(rows),
      now,
      entries.map((entry) => entry.id),
      entries.map((entry) => entry.kind),
      entries.map((entry) => entry.bytes),
      entries.map((entry) => entry.leaf),
    ]),
  ])
}

/** What a claim that was granted says of an action. */
function claimOf({ gateInput }: NewEffect, claimed: ClaimedEffect | undefined) {
  if (claimed === undefined) return {}
  const { fence, verdict, policyDigest: policy_digest, attempt, facts } = claimed
  const gate_input = { ...gateInput, ...(facts as JsonObject | null) }
  return { state: 'intent', ready: false, fence, verdict, policy_digest, attempt, gate_input }
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

const updateFacts = `
update fibric.action a
   set effect = w.effect
  from jsonb_to_recordset($1::jsonb) as w (tenant_id text, action_id text, state text, effect jsonb)
 where a.tenant_id = w.tenant_id
   and a.action_id = w.action_id
   and a.state = w.state
   and a.attempts = 0`

export interface Refit {
  readonly tenant_id: TenantId
  readonly action_id: ActionId
  readonly state: string
  readonly effect: JsonObject
}

/** Notes by what some actions would be sent, as long as none of them was. */
export async function refitEffects(tx: Transaction, refits: readonly Refit[]): Promise<void> {
  await tx.query(updateFacts, [JSON.stringify(refits)])
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
