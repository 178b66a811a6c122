import type { Digest, TenantId } from '../domain/ids.ts'
import type { Transaction } from './tenancy.ts'

/** One call of a model, as it was made and as it ended. */
export interface ModelCallRow {
  readonly tenant_id: TenantId
  readonly call_id: string
  readonly question: string
  readonly policy: string
  readonly model: string
  readonly model_digest: Digest
  readonly rating: string | null
  readonly provider: string
  readonly model_id: string
  readonly max_tokens: number
  readonly secret: string | null
  readonly secret_version: number | null
  readonly prompt_digest: Digest
  readonly output_digest: Digest | null
  readonly stop: string | null
  readonly input_tokens: number | null
  readonly output_tokens: number | null
  readonly currency: string | null
  /** The most it could cost; decimal text. */
  readonly reserved: string | null
  /** What it did cost; null while nobody knows, and then the reservation counts. */
  readonly cost: string | null
  readonly state: 'reserved' | 'answered' | 'released' | 'unknown'
  readonly reason: string | null
  readonly created_at: string
  readonly settled_at: string | null
}

// Whoever reserves lines up here. A statement of its own: a lock taken in the statement that looks is taken after its
// snapshot, and two questions would both find the room that is there for one.
const lockSpending = `select pg_advisory_xact_lock(hashtextextended('fibric models ' || $1, 0))`

export async function lockModelSpending(tx: Transaction, tenantId: TenantId): Promise<void> {
  await tx.query(lockSpending, [tenantId])
}

const sumSpent = `
select coalesce(sum(coalesce(cost, reserved)), 0)::text as spent
  from fibric.model_call
 where tenant_id = $1
   and currency = $2
   and created_at > $3
   and state <> 'released'`

/** What a domain spent or has reserved since a moment: decimal text. */
export async function readModelSpending(
  tx: Transaction,
  tenantId: TenantId,
  currency: string,
  since: string,
): Promise<string> {
  const [row] = await tx.query<{ spent: string }>(sumSpent, [tenantId, currency, since])
  return row!.spent
}

const insertCall = `
insert into fibric.model_call (tenant_id, reseller_id, call_id, question, policy, model, model_digest, rating, provider, model_id,
       max_tokens, prompt_digest, currency, reserved, state, created_at, secret, secret_version)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, 'reserved', $15, $16, $17)`

export type NewModelCall = Omit<
  ModelCallRow,
  'output_digest' | 'stop' | 'input_tokens' | 'output_tokens' | 'cost' | 'state' | 'reason' | 'settled_at'
>

export async function writeModelCall(tx: Transaction, resellerId: string | null, call: NewModelCall): Promise<void> {
  await tx.query(insertCall, [
    call.tenant_id,
    resellerId,
    call.call_id,
    call.question,
    call.policy,
    call.model,
    call.model_digest,
    call.rating,
    call.provider,
    call.model_id,
    call.max_tokens,
    call.prompt_digest,
    call.currency,
    call.reserved,
    call.created_at,
    call.secret,
    call.secret_version,
  ])
}

const updateCall = `
update fibric.model_call
   set state = $3, output_digest = $4, stop = $5, input_tokens = $6, output_tokens = $7, cost = $8, reason = $9, settled_at = $10
 where tenant_id = $1
   and call_id = $2
   and state = 'reserved'`

export type ModelCallEnd = Pick<
  ModelCallRow,
  | 'tenant_id'
  | 'call_id'
  | 'state'
  | 'output_digest'
  | 'stop'
  | 'input_tokens'
  | 'output_tokens'
  | 'cost'
  | 'reason'
  | 'settled_at'
>

export async function settleModelCall(tx: Transaction, end: ModelCallEnd): Promise<void> {
  await tx.query(updateCall, [
    end.tenant_id,
    end.call_id,
    end.state,
    end.output_digest,
    end.stop,
    end.input_tokens,
    end.output_tokens,
    end.cost,
    end.reason,
    end.settled_at,
  ])
}

const selectCalls = `
select *
  from fibric.model_call
 where tenant_id = any($1)
   and question = any($2)
 order by serial`

/** Every call that was made for some questions, oldest first. */
export function readModelCalls(
  tx: Transaction,
  tenants: readonly TenantId[],
  questions: readonly string[],
): Promise<ModelCallRow[]> {
  return tx.query<ModelCallRow>(selectCalls, [tenants, questions])
}
