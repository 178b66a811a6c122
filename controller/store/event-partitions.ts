import type { TenantId } from '../domain/ids.ts'
import type { Transaction } from './tenancy.ts'

const makePartition = `select fibric.make_event_partition($1::date) as made`

/** Makes the partition of the week that holds `day`; false where it is there. */
export async function makeEventPartition(tx: Transaction, day: string): Promise<boolean> {
  const rows = await tx.query<{ made: boolean }>(makePartition, [day])
  return rows[0]?.made ?? false
}

const selectPartitions = `
select substring(c.relname from 7) as week
  from pg_inherits i
  join pg_class c on c.oid = i.inhrelid
 where i.inhparent = 'fibric.event'::regclass
   and c.relname ~ '^event_[0-9]{8}$'
 order by 1`

/** The Mondays, as YYYYMMDD, of the weeks that have a partition; oldest first. */
export async function readEventPartitions(tx: Transaction): Promise<string[]> {
  const rows = await tx.query<{ week: string }>(selectPartitions)
  return rows.map((row) => row.week)
}

// Anything of the week that has no position yet, or that a consumer (active or paused) or an open replay has before it, or
// whose domain has ledger entries of that time outside its tree, keeps the whole week.
const selectHolders = `
select count(*) as holders
  from unnest($1::text[]) as d (tenant_id)
 where exists (select from fibric.event e
                where e.tenant_id = d.tenant_id and e.received_at >= $2 and e.received_at < $3
                  and not exists (select from fibric.event_position p where p.serial = e.serial))
    or exists (select from fibric.event_position p
                join fibric.event_consumer c on c.tenant_id = p.tenant_id and c.position < p.position
                where p.tenant_id = d.tenant_id and p.received_at >= $2 and p.received_at < $3)
    or exists (select from fibric.event_position p
                join fibric.event_replay r on r.tenant_id = p.tenant_id and r.ended_at is null
                 and p.position > r.position and p.position <= r.to_position
                where p.tenant_id = d.tenant_id and p.received_at >= $2 and p.received_at < $3)
    or exists (select from fibric.ledger_entry l
                where l.tenant_id = d.tenant_id and l.created_at < $3
                  and not exists (select from fibric.ledger_position p where p.tenant_id = l.tenant_id and p.entry_id = l.entry_id))`

const deletePositions = `
delete from fibric.event_position
 where tenant_id = any($1)
   and received_at >= $2
   and received_at < $3`

const dropPartition = `select fibric.drop_event_partition($1::date) as dropped`

/** Drops a week of the log, unless something of it is still awaited. True when it did. */
export async function dropEventWeek(
  tx: Transaction,
  tenants: readonly TenantId[],
  week: { readonly monday: string; readonly from: string; readonly to: string },
): Promise<boolean> {
  const held = await tx.query<{ holders: number }>(selectHolders, [tenants, week.from, week.to])
  if (held[0]!.holders > 0) return false
  await tx.execute(deletePositions, [tenants, week.from, week.to])
  const rows = await tx.query<{ dropped: boolean }>(dropPartition, [week.monday])
  return rows[0]?.dropped ?? false
}
