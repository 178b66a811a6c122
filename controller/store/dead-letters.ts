import type { DeadLetterReason } from '../domain/dead-letter.ts'
import type { TenantId } from '../domain/ids.ts'
import type { Transaction } from './tenancy.ts'

export interface DeadLetter {
  readonly tenant_id: TenantId
  readonly letter_id: string
  readonly reason: DeadLetterReason
  readonly message: string
  readonly source: string
  readonly event_type: string
  /** The event that died, or the one a conflicting body would have replaced. */
  readonly event_id: string | null
  readonly consumer: string | null
  readonly idempotency_key: string | null
  /** How it came in: what delivering it again goes through once more. */
  readonly origin: 'webhook' | 'poll' | 'internal' | 'run'
  /** JSON text: what, beside the body, delivering it again needs. */
  readonly request: Buffer | null
  readonly body: Buffer | null
  readonly created_at: string
  readonly redriven_at: string | null
  readonly redriven_by: string | null
  /** The event, or the replay, that it became. */
  readonly redriven_to: string | null
}

const insertLetter = `
insert into fibric.dead_letter (tenant_id, reseller_id, letter_id, reason, message, source, event_type, event_id, consumer,
       idempotency_key, origin, request, body, created_at)
select d.tenant_id, d.reseller_id, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13
  from fibric.domain d
 where d.tenant_id = $1`

export async function writeDeadLetter(tx: Transaction, letter: DeadLetter): Promise<void> {
  await tx.execute(insertLetter, [
    letter.tenant_id,
    letter.letter_id,
    letter.reason,
    letter.message,
    letter.source,
    letter.event_type,
    letter.event_id,
    letter.consumer,
    letter.idempotency_key,
    letter.origin,
    letter.request,
    letter.body,
    letter.created_at,
  ])
}

const letterColumns = `tenant_id, letter_id, reason, message, source, event_type, event_id, consumer, idempotency_key, origin,
       request, body, created_at, redriven_at, redriven_by, redriven_to`

const selectLetters = `
select ${letterColumns}
  from fibric.dead_letter
 where tenant_id = any($1)
   and ($2::text is null or letter_id < $2)
   and ($4 or redriven_at is null)
   and ($5::text is null or reason = $5)
 order by letter_id desc
 limit $3`

/** Dead letters of some domains, newest first. */
export function readDeadLetters(
  tx: Transaction,
  query: {
    readonly tenants: readonly TenantId[]
    readonly before: string | null
    readonly limit: number
    /** Also those that were delivered again. */
    readonly all: boolean
    readonly reason: string | null
  },
): Promise<DeadLetter[]> {
  return tx.query<DeadLetter>(selectLetters, [query.tenants, query.before, query.limit, query.all, query.reason])
}

const selectLetter = `select ${letterColumns} from fibric.dead_letter where tenant_id = any($1) and letter_id = $2`

export async function readDeadLetter(
  tx: Transaction,
  tenants: readonly TenantId[],
  letterId: string,
): Promise<DeadLetter | null> {
  const [row] = await tx.query<DeadLetter>(selectLetter, [tenants, letterId])
  return row ?? null
}

const markRedriven = `
update fibric.dead_letter
   set redriven_at = $3, redriven_by = $4, redriven_to = $5
 where tenant_id = $1
   and letter_id = $2
   and redriven_at is null
returning letter_id`

/** Notes what a letter became; false when it was delivered again before. */
export async function markDeadLetterRedriven(
  tx: Transaction,
  letter: Pick<DeadLetter, 'tenant_id' | 'letter_id'>,
  done: { readonly at: string; readonly by: string; readonly to: string },
): Promise<boolean> {
  const rows = await tx.query(markRedriven, [letter.tenant_id, letter.letter_id, done.at, done.by, done.to])
  return rows.length === 1
}
