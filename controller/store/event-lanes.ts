import type { TenantId } from '../domain/ids.ts'
import type { Transaction } from './tenancy.ts'

/** What one look of the sequencer gave to a domain. */
export interface Sequenced {
  readonly tenant_id: TenantId
  /** The last position there is now. */
  readonly head: number
  readonly given: number
}

/** Few enough that a flooded domain's look is short for those that share it. */
export const sequenceBatchMax = 500

const insertLanes = `
insert into fibric.event_lane (tenant_id, reseller_id, moved_at)
select d.tenant_id, d.reseller_id, now()
  from fibric.domain d
 where d.tenant_id = any($1)
 order by d.tenant_id
    on conflict (tenant_id) do nothing`

// The fence: one sequencer a lane at a time. Locked in a statement of its own, since one that both waits for a lock and
// looks things up looks them up in the snapshot from before the wait.
const lockLanes = `select tenant_id from fibric.event_lane where tenant_id = any($1) order by tenant_id for update`

// Every visible event without a position, oldest transaction first: of those that the snapshot of the last complete look
// could not see, either because their transaction began later (xid from its xmax on) or was still running (its xip).
const givePositions = `
with lane as (
  select l.tenant_id, l.reseller_id, l.next, case when l.cluster = c.name then l.seen end as seen, c.name
    from fibric.event_lane l
   cross join (select system_identifier::text as name from pg_control_system()) c
   where l.tenant_id = any($1)
), found as (
  select l.tenant_id, l.reseller_id, l.next, e.received_at, e.xid, e.serial
    from lane l
   cross join lateral (
     select u.received_at, u.xid, u.serial
       from (select e.received_at, e.xid, e.serial
               from fibric.event e
              where e.tenant_id = l.tenant_id
                and e.xid >= coalesce(pg_snapshot_xmax(l.seen)::text::bigint, 0)
             union all
             select e.received_at, e.xid, e.serial
               from pg_snapshot_xip(l.seen) as running (xid)
              cross join lateral (select e.received_at, e.xid, e.serial
                                    from fibric.event e
                                   where e.tenant_id = l.tenant_id and e.xid = running.xid::text::bigint
                                  offset 0) e) u
       left join lateral (select p.position from fibric.event_position p where p.serial = u.serial limit 1) p on true
      where p.position is null
      order by u.xid, u.serial
      limit ${sequenceBatchMax}) e
), given as (
  insert into fibric.event_position (tenant_id, reseller_id, position, serial, received_at)
  select tenant_id, reseller_id, next + row_number() over (partition by tenant_id order by xid, serial) - 1, serial, received_at
    from found
  returning tenant_id
), counts as (
  select tenant_id, count(*) as given from given group by tenant_id
)
update fibric.event_lane l
   set next = l.next + c.given,
       seen = case when c.given < ${sequenceBatchMax} then pg_current_snapshot()
                   when l.cluster = lane.name then l.seen end,
       cluster = lane.name,
       moved_at = now()
  from counts c
  join lane using (tenant_id)
 where l.tenant_id = c.tenant_id
returning l.tenant_id, l.next - 1 as head, c.given`

/**
 * Gives positions to the visible events of some domains that have none. Dense, in one order that never changes, at most
 * `sequenceBatchMax` a domain and look; whoever was given that many has more.
 */
export async function giveEventPositions(tx: Transaction, tenants: readonly TenantId[]): Promise<Sequenced[]> {
  // Sent together; each still sees what the one before it did. Positions need not be on disk when they are answered: whoever
  // acts on one writes later, and nothing written later is durable before it. What a crash of the server forgets of them
  // nobody has acted on, and it is given anew.
  const [, , , given] = await Promise.all([
    tx.execute(`select set_config('synchronous_commit', 'off', true)`),
    tx.execute(insertLanes, [tenants]),
    tx.execute(lockLanes, [tenants]),
    tx.query<Sequenced>(givePositions, [tenants]),
  ])
  return given
}

const selectUnsequenced = `
select d.tenant_id
  from unnest($1::text[]) as d (tenant_id)
  left join (select l.tenant_id, l.seen
               from fibric.event_lane l
              where l.cluster = (select system_identifier::text from pg_control_system())) l using (tenant_id)
 where exists (
         select from fibric.event e
          where e.tenant_id = d.tenant_id
            and e.xid >= coalesce(pg_snapshot_xmax(l.seen)::text::bigint, 0)
            and not exists (select from fibric.event_position p where p.serial = e.serial))
    or exists (
         select from pg_snapshot_xip(l.seen) as running (xid)
           join fibric.event e on e.tenant_id = d.tenant_id and e.xid = running.xid::text::bigint
          where not exists (select from fibric.event_position p where p.serial = e.serial))`

/** Domains with events that have no position yet: those of a process that was killed before it came to it. */
export async function readUnsequencedLanes(tx: Transaction, tenants: readonly TenantId[]): Promise<TenantId[]> {
  const rows = await tx.query<{ tenant_id: TenantId }>(selectUnsequenced, [tenants])
  return rows.map((row) => row.tenant_id)
}

const selectHeads = `
select tenant_id, next - 1 as head
  from fibric.event_lane
 where $1::text[] is null or tenant_id = any($1)`

/** The last position of each domain; no context is needed, for there is no payload in it. */
export async function readHeads(
  tx: Transaction,
  tenants: readonly TenantId[] | null = null,
): Promise<Map<TenantId, number>> {
  const rows = await tx.query<{ tenant_id: TenantId; head: number }>(selectHeads, [tenants])
  return new Map(rows.map((row) => [row.tenant_id, row.head]))
}

// Numbers only ever grow, so their sum says whether any of them moved.
const selectPulses = `
select l.tenant_id, l.next + l.replays as pulse
  from fibric.event_lane l
 where (select coalesce(sum(next + replays), 0) from fibric.event_lane) <> $1`

/**
 * A number for each domain that grows whenever it has a new position or a new replay; null where all of them add up to
 * what they did before. No context is needed.
 */
export async function readPulses(tx: Transaction, sumBefore: number): Promise<Map<TenantId, number> | null> {
  const rows = await tx.query<{ tenant_id: TenantId; pulse: number }>(selectPulses, [sumBefore])
  return rows.length === 0 ? null : new Map(rows.map((row) => [row.tenant_id, row.pulse]))
}

const selectPositionSince = `
select position
  from fibric.event_position
 where tenant_id = $1
   and received_at >= $2
 order by received_at, position
 limit 1`

/** The position of the first event received at an instant or later; null when there is none. */
export async function readPositionSince(tx: Transaction, tenant: TenantId, instant: string): Promise<number | null> {
  const rows = await tx.query<{ position: number }>(selectPositionSince, [tenant, instant])
  return rows[0]?.position ?? null
}
