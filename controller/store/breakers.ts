import type { TenantId } from '../domain/ids.ts'
import type { Transaction } from './tenancy.ts'

const upsertBreaker = `
insert into fibric.breaker as b (tenant_id, connection, failures, open_until, reason)
values ($1, $2, 1, null, $4)
    on conflict (tenant_id, connection) do update
   set failures = b.failures + 1,
       reason = excluded.reason,
       open_until = case when b.failures + 1 >= $3 then now() + least(300000, 1000 * power(2, b.failures + 1 - $3)) * interval '1 millisecond' end`

/** Notes that a connection was not done once more; `threshold` of them in a row open its breaker for longer and longer. */
export async function noteNotDone(
  tx: Transaction,
  tenant: TenantId,
  connection: string,
  threshold: number,
  reason: string,
): Promise<void> {
  await tx.query(upsertBreaker, [tenant, connection, threshold, reason])
}

// Open again at once for as long as the one that tries may take: should it be lost, the next one tries.
const updateProbe = `
update fibric.breaker
   set open_until = now() + $3 * interval '1 millisecond'
 where tenant_id = $1
   and connection = $2
   and (open_until is null or open_until <= now())
returning open_until::text as until`

const selectOne = `
select greatest(0, extract(epoch from open_until - now()) * 1000)::float8 as ms
  from fibric.breaker
 where tenant_id = $1
   and connection = $2`

export type ProbeTaken =
  | { readonly kind: 'taken'; readonly until: string }
  /** Somebody else tries it, or did and it was not done. */
  | { readonly kind: 'open'; readonly remainingMs: number }
  /** Somebody else tried it, and it was done. */
  | { readonly kind: 'closed' }

/** Takes the right to try a connection whose breaker's time is over; one has it at a time. */
export async function takeProbe(
  tx: Transaction,
  tenant: TenantId,
  connection: string,
  forMs: number,
): Promise<ProbeTaken> {
  const [taken] = await tx.query<{ until: string }>(updateProbe, [tenant, connection, forMs])
  if (taken) return { kind: 'taken', until: taken.until }
  const [row] = await tx.query<{ ms: number | null }>(selectOne, [tenant, connection])
  return row ? { kind: 'open', remainingMs: Math.max(200, row.ms ?? 0) } : { kind: 'closed' }
}

const returnProbe = `
update fibric.breaker
   set open_until = now()
 where tenant_id = $1
   and connection = $2
   and open_until = $3::timestamptz`

export async function giveProbeBack(
  tx: Transaction,
  tenant: TenantId,
  connection: string,
  until: string,
): Promise<void> {
  await tx.query(returnProbe, [tenant, connection, until])
}

const deleteBreaker = `delete from fibric.breaker where tenant_id = $1 and connection = $2 returning open_until is not null as opened`

// What is locked is in somebody's hands already. A provider that asked to be left alone is, by the gate of its host.
const wakeActions = `
update fibric.effect_queue q
   set due_at = now()
 where q.tenant_id = $1
   and q.action_id in (
     select w.action_id
       from fibric.effect_queue w
       join fibric.action a on a.tenant_id = w.tenant_id and a.action_id = w.action_id
      where w.tenant_id = $1
        and w.due_at > now()
        and w.due_at < 'infinity'
        and not w.stopped
        and a.state in ('planned', 'held', 'waiting')
        and a.effect ->> 'connection' = $2
      order by w.action_id
        for update of w skip locked)`

/** A connection was done: what waited for its breaker is looked at again at once. */
export async function closeBreaker(tx: Transaction, tenant: TenantId, connection: string): Promise<void> {
  const [closed] = await tx.query<{ opened: boolean }>(deleteBreaker, [tenant, connection])
  if (closed?.opened) await tx.query(wakeActions, [tenant, connection])
}

const selectOpened = `
select tenant_id, connection, failures, open_until, reason
  from fibric.breaker
 where tenant_id = any($1)
   and open_until is not null`

export interface BreakerRow {
  readonly tenant_id: TenantId
  readonly connection: string
  readonly failures: number
  readonly open_until: string
  readonly reason: string
}

/** Breakers that opened, and have not closed since. */
export function readOpenedBreakers(tx: Transaction, tenants: readonly TenantId[]): Promise<BreakerRow[]> {
  return tx.query<BreakerRow>(selectOpened, [tenants])
}
