import type { TenantId } from '../domain/ids.ts'
import type { Transaction } from './tenancy.ts'

/** Why something is kept that nobody will process by itself. */
export type DeadLetterReason = 'idempotency_conflict' | 'expression_failed' | 'validation_failed' | 'run_died'

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
  readonly body: Buffer | null
  readonly created_at: string
}

const insertLetter = `
insert into fibric.dead_letter (tenant_id, reseller_id, letter_id, reason, message, source, event_type, event_id, consumer,
       idempotency_key, body, created_at)
select d.tenant_id, d.reseller_id, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11
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
    letter.body,
    letter.created_at,
  ])
}

const selectLetters = `
select tenant_id, letter_id, reason, message, source, event_type, event_id, consumer, idempotency_key, body, created_at
  from fibric.dead_letter
 where tenant_id = any($1)
   and ($2::text is null or letter_id < $2)
 order by letter_id desc
 limit $3`

/** Dead letters of some domains, newest first. */
export function readDeadLetters(
  tx: Transaction,
  query: { readonly tenants: readonly TenantId[]; readonly before: string | null; readonly limit: number },
): Promise<DeadLetter[]> {
  return tx.query<DeadLetter>(selectLetters, [query.tenants, query.before, query.limit])
}
