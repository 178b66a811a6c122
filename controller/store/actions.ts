import type { ActionState } from '../domain/action-machine.ts'
import { FibricError } from '../domain/errors.ts'
import type { ActionId, Address, Digest, PlanId, ReceiptId, TenantId } from '../domain/ids.ts'
import type { JsonObject } from '../domain/json.ts'
import type { Transaction } from './tenancy.ts'

export interface ActionRow {
  readonly tenant_id: TenantId
  readonly action_id: ActionId
  readonly plan_id: PlanId
  readonly ordinal: number
  readonly capability: string
  readonly connection: string
  readonly tool: string
  readonly entity_key: string
  readonly idempotency_key: string
  readonly tier: number
  readonly change: JsonObject | null
  readonly change_digest: Digest | null
  /** What the connection needs to carry the action out, long after it was proposed. */
  readonly args: JsonObject
  readonly authors: readonly JsonObject[]
  readonly gate_input: JsonObject | null
  readonly verdict: JsonObject | null
  readonly policy_digest: Digest | null
  /** Entity keys of the actions of the same plan that must end applied first. */
  readonly after: readonly Address[]
  readonly cause: string | null
  readonly state: ActionState
  readonly attempts: number
  readonly created_at: string
  readonly state_at: string
  readonly expires_at: string | null
  readonly receipt_id: ReceiptId | null
}

const columns = [
  'action_id',
  'plan_id',
  'ordinal',
  'capability',
  'connection',
  'tool',
  'entity_key',
  'idempotency_key',
  'tier',
  'change',
  'change_digest',
  'args',
  'authors',
  'gate_input',
  'verdict',
  'policy_digest',
  'after',
  'cause',
  'state',
  'attempts',
  'created_at',
  'state_at',
  'expires_at',
  'receipt_id',
] as const

// One parameter for the whole batch. Timestamps and ids travel as JSON text and are typed by the record definition.
const insertActions = `
insert into fibric.action (tenant_id, reseller_id, ${columns.join(', ')})
select $1, $2, ${columns.map((column) => `w.${column}`).join(', ')}
  from jsonb_to_recordset($3::jsonb) as w (
       action_id text, plan_id text, ordinal integer, capability text, connection text, tool text, entity_key text,
       idempotency_key text, tier smallint, change jsonb, change_digest text, args jsonb, authors jsonb, gate_input jsonb,
       verdict jsonb, policy_digest text, after text[], cause text, state text, attempts integer, created_at timestamptz,
       state_at timestamptz, expires_at timestamptz, receipt_id text)`

export async function writeActions(
  tx: Transaction,
  tenant: TenantId,
  resellerId: string | null,
  actions: readonly Omit<ActionRow, 'tenant_id'>[],
): Promise<void> {
  if (actions.length > 0) await tx.query(insertActions, [tenant, resellerId, JSON.stringify(actions)])
}

const updateAction = `
update fibric.action
   set state = $3, state_at = $4, receipt_id = $5, cause = $6, verdict = coalesce($7::jsonb, verdict),
       policy_digest = coalesce($8, policy_digest), gate_input = coalesce($9::jsonb, gate_input),
       expires_at = $10, attempts = $11
 where tenant_id = $1
   and action_id = $2
   and receipt_id is null
returning action_id`

export interface ActionStep {
  readonly action_id: ActionId
  readonly state: ActionState
  readonly state_at: string
  readonly receipt_id: ReceiptId | null
  readonly cause: string | null
  readonly verdict: JsonObject | null
  readonly policy_digest: Digest | null
  readonly gate_input: JsonObject | null
  readonly expires_at: string | null
  readonly attempts: number
}

/** Moves an action on. One that ended meanwhile stays as it ended: it has its receipt. */
export async function moveAction(tx: Transaction, tenant: TenantId, step: ActionStep): Promise<void> {
  const moved = await tx.query(updateAction, [
    tenant,
    step.action_id,
    step.state,
    step.state_at,
    step.receipt_id,
    step.cause,
    step.verdict && JSON.stringify(step.verdict),
    step.policy_digest,
    step.gate_input && JSON.stringify(step.gate_input),
    step.expires_at,
    step.attempts,
  ])
  if (moved.length === 1) return
  throw new FibricError('STATE_CONFLICT', `\`${step.action_id}\` has ended meanwhile`, {
    hint: `see what became of it: fibric plans show ${step.action_id}`,
  })
}

const selectOpen = `
select *
  from fibric.action
 where tenant_id = any($1)
   and state in ('planned', 'held', 'intent', 'waiting', 'unknown', 'reconciling', 'manual')
 order by tenant_id, created_at, ordinal`

/** Actions that have not ended: what waits for a person, for another action, or for evidence. */
export function readOpenActions(tx: Transaction, tenants: readonly TenantId[]): Promise<ActionRow[]> {
  return tx.query<ActionRow>(selectOpen, [tenants])
}

const selectOpenChanges = selectOpen.replace(' order by', '   and effect is null\n order by')

/** Configuration changes that have not ended. */
export function readOpenChanges(tx: Transaction, tenants: readonly TenantId[]): Promise<ActionRow[]> {
  return tx.query<ActionRow>(selectOpenChanges, [tenants])
}

const lockOpen = `
select *
  from fibric.action
 where tenant_id = $1
   and state in ('planned', 'held')
   and effect is null
 order by action_id
   for update`

/** Every waiting configuration change of a domain, locked: ended or moved on by whoever holds them. */
export function lockWaitingActions(tx: Transaction, tenant: TenantId): Promise<ActionRow[]> {
  return tx.query<ActionRow>(lockOpen, [tenant])
}

const lockById = `
select *
  from fibric.action
 where tenant_id = $1
   and action_id = any($2)
 order by action_id
   for update`

export function lockActions(tx: Transaction, tenant: TenantId, ids: readonly ActionId[]): Promise<ActionRow[]> {
  return tx.query<ActionRow>(lockById, [tenant, ids])
}

export interface EndedRow {
  readonly entity_key: Address
  readonly state: ActionState
  readonly state_at: string
}

const selectRefusals = `
select entity_key, state, state_at
  from fibric.action
 where tenant_id = any($1)
   and entity_key = any($2)
   and state in ('rejected', 'skipped', 'blocked', 'vetoed', 'expired', 'failed', 'cancelled')
 order by state_at desc`

/** Actions over these objects that ended without being carried out, newest first. */
export function readRefusals(
  tx: Transaction,
  tenants: readonly TenantId[],
  addresses: readonly Address[],
): Promise<EndedRow[]> {
  return tx.query<EndedRow>(selectRefusals, [tenants, addresses])
}

const selectLastOfChanges = `
select distinct on (tenant_id, change_digest) *
  from fibric.action
 where tenant_id = any($1)
   and change_digest = any($2)
 order by tenant_id, change_digest, created_at desc`

/** The latest action of each change, whatever became of it. */
export function readLastActions(
  tx: Transaction,
  tenants: readonly TenantId[],
  changes: readonly Digest[],
): Promise<ActionRow[]> {
  return tx.query<ActionRow>(selectLastOfChanges, [tenants, changes])
}

// Each way to an action by its own index: an `or` over two tables would read both from beginning to end.
const selectActionsOfPlans = `
with plans as (
  select tenant_id, plan_id from fibric.execution_plan where tenant_id = any($1) and plan_id = $2
   union
  select tenant_id, plan_id from fibric.execution_plan where tenant_id = any($1) and config_plan_id = $2
   union
  select tenant_id, plan_id from fibric.execution_plan where tenant_id = any($1) and correlation_id = $2
)
select a.*
  from fibric.action a
 where a.tenant_id = any($1)
   and a.action_id = $2
 union all
select a.*
  from plans p
 cross join lateral (
   select * from fibric.action a where a.tenant_id = p.tenant_id and a.plan_id = p.plan_id offset 0) a
 order by tenant_id, plan_id, ordinal`

/** The actions that an id names: one action, a plan's, or those of a whole configuration plan. */
export function readActionsById(tx: Transaction, tenants: readonly TenantId[], id: string): Promise<ActionRow[]> {
  return tx.query<ActionRow>(selectActionsOfPlans, [tenants, id])
}

const selectRecentDeletes = `
select entity_key as address
  from fibric.action
 where tenant_id = any($1)
   and state = 'applied'
   and state_at > $2
   and capability like 'config.%.delete'`

export async function readRecentDeletes(
  tx: Transaction,
  tenants: readonly TenantId[],
  since: string,
): Promise<Address[]> {
  const rows = await tx.query<{ address: Address }>(selectRecentDeletes, [tenants, since])
  return rows.map((row) => row.address)
}

const selectDecisions = `
select tenant_id, action_id, gate_input, verdict, state_at
  from fibric.action
 where tenant_id = any($1)
   and state_at > $2
   and verdict is not null
 order by state_at desc
 limit $3`

export type DecisionRow = Pick<ActionRow, 'tenant_id' | 'action_id' | 'gate_input' | 'verdict' | 'state_at'>

/** Recorded decisions with what the gate was given: the material of a backtest. */
export function readDecisions(
  tx: Transaction,
  tenants: readonly TenantId[],
  since: string,
  limit: number,
): Promise<DecisionRow[]> {
  return tx.query<DecisionRow>(selectDecisions, [tenants, since, limit])
}

const selectProposals = `
select distinct on (a.tenant_id, a.entity_key) a.entity_key, a.args
  from fibric.action a
  join unnest($1::text[], $2::text[]) as w (tenant_id, address)
    on a.tenant_id = w.tenant_id and a.entity_key = w.address
 where a.state = 'applied'
 order by a.tenant_id, a.entity_key, a.state_at desc`

/** What the last applied action of each address was proposed with. */
export async function readLastProposals(
  tx: Transaction,
  places: readonly { readonly tenantId: TenantId; readonly address: Address }[],
): Promise<Map<Address, JsonObject>> {
  const rows = await tx.query<{ entity_key: Address; args: JsonObject }>(selectProposals, [
    places.map((place) => place.tenantId),
    places.map((place) => place.address),
  ])
  return new Map(rows.map((row) => [row.entity_key, row.args]))
}
