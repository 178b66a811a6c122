import type { Digest, TenantId } from '../domain/ids.ts'
import type { Transaction } from './tenancy.ts'

/** What an idempotency key is bound to, and by whom it is being answered. */
export interface RequestClaim {
  readonly tenantId: TenantId
  readonly route: string
  readonly key: string
  readonly digest: Digest
  readonly requestId: string
  /** The server process that answers. */
  readonly instance: string
  readonly now: string
}

export interface RequestRow {
  readonly digest: Digest
  readonly request_id: string
  readonly state: 'running' | 'done'
  readonly status: number | null
  readonly answer: Buffer | null
}

/** A lease is as long as a process may be silent; it is measured by the database's clock, which all replicas share. */
const lease = `clock_timestamp() + interval '30 seconds'`

// Taken: a key nobody used in the last seven days, or one whose answerer died half way through the same request.
const claim = `
insert into fibric.request as r (tenant_id, route, idempotency_key, digest, request_id, state, instance, lease_until, created_at)
values ($1, $2, $3, $4, $5, 'running', $6, ${lease}, $7)
    on conflict (tenant_id, route, idempotency_key) do update
   set digest = excluded.digest, request_id = excluded.request_id, state = 'running', attempt = r.attempt + 1,
       instance = excluded.instance, lease_until = excluded.lease_until, status = null, answer = null,
       created_at = case when r.created_at < $8 then excluded.created_at else r.created_at end
 where r.created_at < $8
    or (r.state = 'running' and r.lease_until < clock_timestamp() and r.digest = excluded.digest)
returning attempt, created_at`

const selectRequest = `
select digest, request_id, state, status, answer
  from fibric.request
 where tenant_id = $1 and route = $2 and idempotency_key = $3`

export interface TakenRequest {
  readonly attempt: number
  /** When the key was first used for this request: the same for each attempt at it. */
  readonly created_at: string
}

/** The attempt that is now the caller's, or the request the key is bound to; null when that one has just been let go. */
export async function claimRequest(
  tx: Transaction,
  wanted: RequestClaim,
  keptSince: string,
): Promise<TakenRequest | { readonly bound: RequestRow | null }> {
  const taken = await tx.query<TakenRequest>(claim, [
    wanted.tenantId,
    wanted.route,
    wanted.key,
    wanted.digest,
    wanted.requestId,
    wanted.instance,
    wanted.now,
    keptSince,
  ])
  if (taken[0]) return taken[0]
  const rows = await tx.query<RequestRow>(selectRequest, [wanted.tenantId, wanted.route, wanted.key])
  return { bound: rows[0] ?? null }
}

const finish = `
update fibric.request
   set state = 'done', status = $5, answer = $6
 where tenant_id = $1 and route = $2 and idempotency_key = $3 and attempt = $4 and state = 'running'`

/** Keeps the first answer. One that was overtaken meanwhile keeps nothing. */
export async function finishRequest(
  tx: Transaction,
  of: Pick<RequestClaim, 'tenantId' | 'route' | 'key'>,
  attempt: number,
  answer: { readonly status: number; readonly bytes: Buffer },
): Promise<void> {
  await tx.execute(finish, [of.tenantId, of.route, of.key, attempt, answer.status, answer.bytes])
}

const release = `
delete from fibric.request
 where tenant_id = $1 and route = $2 and idempotency_key = $3 and attempt = $4 and state = 'running'`

/** Lets the key go: the request failed for a reason that is none of its own, and may be sent again. */
export async function releaseRequest(
  tx: Transaction,
  of: Pick<RequestClaim, 'tenantId' | 'route' | 'key'>,
  attempt: number,
): Promise<void> {
  await tx.execute(release, [of.tenantId, of.route, of.key, attempt])
}

const renew = `
update fibric.request r
   set lease_until = ${lease}
  from unnest($2::text[], $3::text[], $4::text[]) as w (tenant_id, route, idempotency_key)
 where r.tenant_id = w.tenant_id and r.route = w.route and r.idempotency_key = w.idempotency_key
   and r.instance = $1 and r.state = 'running'`

/** Says that a process still works on what it took; what it gave up is not its any more. */
export async function renewRequests(
  tx: Transaction,
  instance: string,
  requests: readonly Pick<RequestClaim, 'tenantId' | 'route' | 'key'>[],
): Promise<void> {
  await tx.execute(renew, [
    instance,
    requests.map(({ tenantId }) => tenantId),
    requests.map(({ route }) => route),
    requests.map(({ key }) => key),
  ])
}

const forget = `delete from fibric.request where tenant_id = any($1) and created_at < $2`

export async function forgetRequests(tx: Transaction, tenants: readonly TenantId[], before: string): Promise<void> {
  await tx.execute(forget, [tenants, before])
}

// A clock that is behind another replica's draws from the minute that is already there.
const draw = `
insert into fibric.request_quota as q (tenant_id, minute, drawn)
values ($1, $2, $3)
    on conflict (tenant_id) do update
   set minute = greatest(q.minute, excluded.minute),
       drawn = case when q.minute >= excluded.minute then q.drawn + excluded.drawn else excluded.drawn end
returning drawn`

/** Draws `wanted` requests from a domain's minute; answers how many had been drawn with them. */
export async function drawRequests(tx: Transaction, tenant: TenantId, minute: string, wanted: number): Promise<number> {
  const [row] = await tx.query<{ drawn: number }>(draw, [tenant, minute, wanted])
  return row!.drawn
}

export interface RefusalRow {
  readonly tenant_id: TenantId
  readonly minute: string
  readonly key_id: string
  readonly code: string
  readonly route: string
  readonly count: number
  readonly first_request_id: string
}

const note = `
insert into fibric.refusal as r (tenant_id, minute, key_id, code, route, count, first_request_id)
values ($1, $2, $3, $4, $5, 1, $6)
    on conflict (tenant_id, minute, key_id, code, route) do update set count = r.count + 1`

export async function noteRefusal(tx: Transaction, refusal: Omit<RefusalRow, 'count'>): Promise<void> {
  const { tenant_id, minute, key_id, code, route, first_request_id } = refusal
  await tx.execute(note, [tenant_id, minute, key_id, code, route, first_request_id])
}

const selectRefusingDomains = `select distinct tenant_id from fibric.refusal where tenant_id = any($1) and minute < $2`

/** Domains with refusals of minutes that are over. */
export async function readRefusingDomains(
  tx: Transaction,
  tenants: readonly TenantId[],
  before: string,
): Promise<TenantId[]> {
  const rows = await tx.query<{ tenant_id: TenantId }>(selectRefusingDomains, [tenants, before])
  return rows.map((row) => row.tenant_id)
}

const takeOver = `
delete from fibric.refusal
 where tenant_id = $1 and minute < $2
returning tenant_id, minute, key_id, code, route, count, first_request_id`

/** Takes them out, to be written to the ledger in the same transaction. */
export function takeRefusals(tx: Transaction, tenant: TenantId, before: string): Promise<RefusalRow[]> {
  return tx.query<RefusalRow>(takeOver, [tenant, before])
}
