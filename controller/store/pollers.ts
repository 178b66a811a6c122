import type { TenantId } from '../domain/ids.ts'
import { newPoll, type PollState } from '../domain/poll.ts'
import type { Transaction } from './tenancy.ts'

export interface PollerName {
  readonly tenantId: TenantId
  readonly connectionId: string
  readonly eventType: string
}

export interface PollerMark extends PollerName {
  readonly fence: number
}

export interface PollerCondition {
  readonly reason: string
  readonly message: string
}

const insertPoller = `
insert into fibric.poller (tenant_id, reseller_id, connection_id, connection, event_type, state, lease_until, due_at)
select d.tenant_id, d.reseller_id, $2, $3, $4, $5, 'epoch', 'epoch'
  from fibric.domain d
 where d.tenant_id = $1
   and not exists (select from fibric.poller p where p.tenant_id = $1 and p.connection_id = $2 and p.event_type = $4)
    on conflict (tenant_id, connection_id, event_type) do nothing`

/** Makes the row of a poll that is new: it begins with everything there is. */
export async function ensurePoller(tx: Transaction, name: PollerName, connection: string): Promise<void> {
  await tx.execute(insertPoller, [name.tenantId, name.connectionId, connection, name.eventType, stateBytes(newPoll)])
}

// Times are the database's: the clocks of two controllers need not agree.
const claimRow = `
update fibric.poller
   set fence = nextval('fibric.event_fence'), lease_until = now() + $4::bigint * interval '1 millisecond'
 where tenant_id = $1
   and connection_id = $2
   and event_type = $3
   and due_at <= now()
   and lease_until <= now()
returning fence, state, failures`

/** Takes a poll that is due and that nobody holds; null otherwise. */
export async function claimPoller(
  tx: Transaction,
  { tenantId, connectionId, eventType }: PollerName,
  leaseMs: number,
): Promise<{ readonly fence: number; readonly state: PollState; readonly failures: number } | null> {
  const rows = await tx.query<{ fence: number; state: Buffer; failures: number }>(claimRow, [
    tenantId,
    connectionId,
    eventType,
    leaseMs,
  ])
  const [row] = rows
  return row ? { ...row, state: JSON.parse(row.state.toString('utf8')) as PollState } : null
}

const selectDue = `
select greatest(0, ceil(extract(epoch from greatest(due_at, lease_until) - now()) * 1000))::bigint as due_ms
  from fibric.poller
 where tenant_id = $1
   and connection_id = $2
   and event_type = $3`

/** In how many milliseconds a poll is due, or its holder gone for certain. */
export async function readPollerDue(
  tx: Transaction,
  { tenantId, connectionId, eventType }: PollerName,
): Promise<number> {
  const rows = await tx.query<{ due_ms: number }>(selectDue, [tenantId, connectionId, eventType])
  return rows[0]?.due_ms ?? 0
}

const moveRow = `
update fibric.poller
   set state = $5, polled_at = now(), failures = 0, reason = null, message = null, failing_since = null,
       lease_until = case when $7::bigint is null then now() + $6::bigint * interval '1 millisecond' else 'epoch' end,
       due_at = case when $7::bigint is null then due_at else now() + $7::bigint * interval '1 millisecond' end
 where tenant_id = $1
   and connection_id = $2
   and event_type = $3
   and fence = $4
returning fence`

/**
 * Keeps what a page led to, and holds on to the poll; with `dueMs` lets it go until then. False when the fence is gone:
 * somebody else polls, and whatever this transaction emitted must not count.
 */
export async function movePoller(
  tx: Transaction,
  mark: PollerMark,
  state: PollState,
  { leaseMs, dueMs }: { readonly leaseMs: number; readonly dueMs: number | null },
): Promise<boolean> {
  const { tenantId, connectionId, eventType, fence } = mark
  const rows = await tx.query(moveRow, [tenantId, connectionId, eventType, fence, stateBytes(state), leaseMs, dueMs])
  return rows.length === 1
}

const failRow = `
update fibric.poller
   set state = $5, failures = failures + 1, reason = $6, message = $7, failing_since = coalesce(failing_since, now()),
       lease_until = 'epoch', due_at = now() + $8::bigint * interval '1 millisecond'
 where tenant_id = $1
   and connection_id = $2
   and event_type = $3
   and fence = $4`

/** Lets a poll go that came to nothing, until `dueMs` from now. */
export async function failPoller(
  tx: Transaction,
  mark: PollerMark,
  state: PollState,
  condition: PollerCondition,
  dueMs: number,
): Promise<void> {
  const { tenantId, connectionId, eventType, fence } = mark
  const { reason, message } = condition
  await tx.execute(failRow, [tenantId, connectionId, eventType, fence, stateBytes(state), reason, message, dueMs])
}

export interface FailingPoll extends PollerCondition {
  readonly tenant_id: TenantId
  readonly connection_id: string
  readonly event_type: string
  readonly failures: number
  readonly failing_since: string
  readonly due_at: string
}

const selectFailing = `
select tenant_id, connection_id, event_type, reason, message, failures, failing_since, due_at
  from fibric.poller
 where tenant_id = any($1)
   and reason is not null
 order by tenant_id, connection_id, event_type`

/** Polls of some domains whose last attempt came to nothing. */
export function readFailingPolls(tx: Transaction, tenants: readonly TenantId[]): Promise<FailingPoll[]> {
  return tx.query<FailingPoll>(selectFailing, [tenants])
}

function stateBytes(state: PollState): Buffer {
  return Buffer.from(JSON.stringify(state), 'utf8')
}
