import type { TenantId } from '../domain/ids.ts'
import type { Transaction } from './tenancy.ts'

/** Where one holder of a consumer may move its cursor. A fence from before moves nothing. */
export interface CursorMark {
  readonly tenantId: TenantId
  readonly consumer: string
  readonly fence: number
  /** The replay whose cursor it is; null: the consumer's own. */
  readonly replayId: string | null
}

export interface ConsumerRow {
  readonly tenant_id: TenantId
  readonly consumer: string
  readonly position: number
  readonly state: 'active' | 'paused'
  readonly created_at: string
  readonly moved_at: string
}

const insertConsumer = `
insert into fibric.event_consumer (tenant_id, reseller_id, consumer, position, state, lease_until, created_at, moved_at)
select d.tenant_id, d.reseller_id, $2,
       coalesce($3::bigint, (select l.next - 1 from fibric.event_lane l where l.tenant_id = d.tenant_id), 0),
       'active', 'epoch', now(), now()
  from fibric.domain d
 where d.tenant_id = $1
   and not exists (select from fibric.event_consumer c where c.tenant_id = $1 and c.consumer = $2)
    on conflict (tenant_id, consumer) do nothing`

/** Makes a consumer where there is none: after `position`, or after everything that is there now. */
export async function ensureConsumer(
  tx: Transaction,
  tenant: TenantId,
  consumer: string,
  position: number | null,
): Promise<void> {
  await tx.execute(insertConsumer, [tenant, consumer, position])
}

// Times are the database's: the clocks of two controllers need not agree.
const claimRow = `
update fibric.event_consumer
   set fence = nextval('fibric.event_fence'), lease_until = now() + $3::bigint * interval '1 millisecond'
 where tenant_id = $1
   and consumer = $2
   and state = 'active'
   and lease_until <= now()
returning position, fence`

/** Takes an active consumer that nobody holds; null otherwise. */
export async function claimConsumer(
  tx: Transaction,
  tenant: TenantId,
  consumer: string,
  leaseMs: number,
): Promise<{ readonly position: number; readonly fence: number } | null> {
  const rows = await tx.query<{ position: number; fence: number }>(claimRow, [tenant, consumer, leaseMs])
  return rows[0] ?? null
}

const renewRow = `
update fibric.event_consumer
   set lease_until = now() + $4::bigint * interval '1 millisecond'
 where tenant_id = $1
   and consumer = $2
   and fence = $3
   and state = 'active'
returning position`

/** Holds on to a consumer; null when it was paused or taken. Its row stays locked until the transaction ends. */
export async function renewConsumer(tx: Transaction, mark: CursorMark, leaseMs: number): Promise<number | null> {
  const rows = await tx.query<{ position: number }>(renewRow, [mark.tenantId, mark.consumer, mark.fence, leaseMs])
  return rows[0]?.position ?? null
}

const releaseRow = `
update fibric.event_consumer set lease_until = 'epoch' where tenant_id = $1 and consumer = $2 and fence = $3`

export async function releaseConsumer(tx: Transaction, mark: CursorMark): Promise<void> {
  await tx.execute(releaseRow, [mark.tenantId, mark.consumer, mark.fence])
}

const moveConsumer = `
update fibric.event_consumer
   set position = greatest(position, $4), moved_at = now()
 where tenant_id = $1
   and consumer = $2
   and fence = $3
returning consumer`

const moveReplay = `
update fibric.event_replay r
   set position = greatest(r.position, least($5, r.to_position)),
       ended_at = case when $5 >= r.to_position then now() else r.ended_at end
  from fibric.event_consumer c
 where c.tenant_id = $1
   and c.consumer = $2
   and c.fence = $3
   and r.tenant_id = c.tenant_id
   and r.consumer = c.consumer
   and r.replay_id = $4
returning r.replay_id`

/**
 * Moves a cursor forward, under the fence. False when the fence is gone: somebody else holds the consumer, and what was
 * done under the old one must not count. Whoever records their work in this very transaction rolls back with it.
 */
export async function moveCursor(tx: Transaction, mark: CursorMark, position: number): Promise<boolean> {
  const { tenantId, consumer, fence, replayId } = mark
  const rows =
    replayId === null
      ? await tx.query(moveConsumer, [tenantId, consumer, fence, position])
      : await tx.query(moveReplay, [tenantId, consumer, fence, replayId, position])
  return rows.length === 1
}

const setState = `
update fibric.event_consumer
   set state = $3, fence = case when $3 = 'paused' then nextval('fibric.event_fence') else fence end,
       lease_until = 'epoch'
 where tenant_id = $1
   and consumer = $2
returning consumer`

/** Pauses or resumes a consumer where it stands; whoever holds it loses it. False when there is no such consumer. */
export async function setConsumerState(
  tx: Transaction,
  tenant: TenantId,
  consumer: string,
  state: 'active' | 'paused',
): Promise<boolean> {
  return (await tx.query(setState, [tenant, consumer, state])).length === 1
}

const selectConsumers = `
select tenant_id, consumer, position, state, created_at, moved_at
  from fibric.event_consumer
 where tenant_id = any($1)
 order by tenant_id, consumer`

export function readConsumers(tx: Transaction, tenants: readonly TenantId[]): Promise<ConsumerRow[]> {
  return tx.query<ConsumerRow>(selectConsumers, [tenants])
}

export interface Backlog {
  /** Events that the slowest active consumer has before it. */
  readonly waiting: number
  /** Its cursor; null where nobody consumes. */
  readonly cursor: number | null
  /** How long the oldest of them has been there. */
  readonly ageMs: number
}

const selectBacklog = `
with slowest as (
  select min(position) as cursor from fibric.event_consumer where tenant_id = $1 and state = 'active'
)
select s.cursor,
       coalesce(greatest(l.next - 1 - s.cursor, 0), 0) as waiting,
       coalesce((extract(epoch from clock_timestamp() - p.received_at) * 1000)::bigint, 0) as age_ms
  from slowest s
  left join fibric.event_lane l on l.tenant_id = $1
  left join fibric.event_position p on p.tenant_id = $1 and p.position = s.cursor + 1`

/** What waits for the slowest active consumer of a domain. Paused ones wait of their own will. */
export async function readBacklog(tx: Transaction, tenant: TenantId): Promise<Backlog> {
  const rows = await tx.query<{ cursor: number | null; waiting: number; age_ms: number }>(selectBacklog, [tenant])
  const [row] = rows
  return { cursor: row?.cursor ?? null, waiting: row?.waiting ?? 0, ageMs: Math.max(0, row?.age_ms ?? 0) }
}
