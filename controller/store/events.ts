import type { Envelope, Origin } from '../domain/envelope.ts'
import { FibricError } from '../domain/errors.ts'
import type { TenantId } from '../domain/ids.ts'
import type { JsonObject } from '../domain/json.ts'
import type { Transaction } from './tenancy.ts'

/** An event with everything the log stamps on it. */
export interface EventWrite {
  readonly tenantId: TenantId
  /** Made from `receivedAt`: an id leads to its partition. */
  readonly eventId: string
  readonly receivedAt: string
  readonly workspaceId: string | null
  readonly source: string
  readonly eventType: string
  readonly correlationId: string
  readonly agentId: string | null
  readonly sessionId: string | null
  readonly depth: number
  readonly key: string | null
  /** SHA-256 of what the key stands for. */
  readonly digest: Buffer
  readonly origin: Origin
  readonly body: Uint8Array | null
  /** JSON text; null when the body is it. */
  readonly payload: Uint8Array | null
}

/** A stored event: the ten fields, and what the log knows beside them. */
export interface StoredEvent {
  readonly envelope: Envelope
  readonly receivedAt: string
  readonly key: string | null
  readonly depth: number
  readonly origin: Origin
  /** Place in the order of its domain; null until it is sequenced. */
  readonly position: number | null
}

// Key and event in one statement. Keys go in in key order, so that two batches never wait for one another in a circle; a
// key of the generation before counts like one of this. A domain that is gone takes no event.
//
// Here and below, look-ups by key are lateral with a limit: the planner cannot turn them into a scan of the whole table,
// which without statistics, on a log that was empty when the plan was made, it does.
const insertEvents = `
with input as (
  select w.*, d.reseller_id
    from unnest($1::text[], $2::text[], $3::timestamptz[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
                $9::text[], $10::smallint[], $11::text[], $12::bytea[], $13::text[], $14::bytea[], $15::bytea[])
         with ordinality as w (tenant_id, event_id, received_at, workspace_id, source, event_type, correlation_id, agent_id,
                session_id, depth, idempotency_key, digest, origin, body, payload, ordinal)
    join fibric.domain d on d.tenant_id = w.tenant_id and d.state = 'active'
), claimed as (
  insert into fibric.ingest_key (slot, tenant_id, reseller_id, source, idempotency_key, digest, event_id)
  select g.generation % 3, i.tenant_id, i.reseller_id, i.source, i.idempotency_key, i.digest, i.event_id
    from input i
   cross join fibric.ingest_generation g
    left join lateral (select k.event_id from fibric.ingest_key k
                        where k.slot = (g.generation + 2) % 3 and k.tenant_id = i.tenant_id
                          and k.source = i.source and k.idempotency_key = i.idempotency_key
                        limit 1) before on true
   where i.idempotency_key is not null
     and before.event_id is null
   order by i.tenant_id, i.source, i.idempotency_key, i.ordinal
      on conflict do nothing
  returning event_id
)
insert into fibric.event (tenant_id, reseller_id, event_id, received_at, workspace_id, source, event_type, correlation_id,
       agent_id, session_id, depth, idempotency_key, origin, body, payload)
select i.tenant_id, i.reseller_id, i.event_id, i.received_at, i.workspace_id, i.source, i.event_type, i.correlation_id,
       i.agent_id, i.session_id, i.depth, i.idempotency_key, i.origin, i.body, i.payload
  from input i
 where i.idempotency_key is null
    or i.event_id in (select event_id from claimed)
 order by i.ordinal
returning event_id`

/**
 * Appends events to the log, each with its key in the one statement; answers the ids of those that went in. The others'
 * keys were taken, or their domain is gone. With keys, the transaction has to hold `shareIngestKeys` first.
 */
export async function writeEvents(tx: Transaction, events: readonly EventWrite[]): Promise<Set<string>> {
  const rows = await tx.query<{ event_id: string }>(insertEvents, [
    events.map((event) => event.tenantId),
    events.map((event) => event.eventId),
    events.map((event) => event.receivedAt),
    events.map((event) => event.workspaceId),
    events.map((event) => event.source),
    events.map((event) => event.eventType),
    events.map((event) => event.correlationId),
    events.map((event) => event.agentId),
    events.map((event) => event.sessionId),
    events.map((event) => event.depth),
    events.map((event) => event.key),
    events.map((event) => event.digest),
    events.map((event) => event.origin),
    events.map((event) => event.body),
    events.map((event) => event.payload),
  ])
  return new Set(rows.map((row) => row.event_id))
}

interface EventRow extends Omit<Envelope, 'payload'> {
  readonly received_at: string
  readonly idempotency_key: string | null
  readonly depth: number
  readonly origin: Origin
  readonly payload: Buffer
  readonly position: number | null
}

const eventColumns = `
       e.event_id, e.reseller_id, e.tenant_id, e.workspace_id, e.source, e.event_type, e.correlation_id, e.agent_id,
       e.session_id, e.received_at, e.idempotency_key, e.depth, e.origin, coalesce(e.payload, e.body) as payload`

const selectEvent = `
select ${eventColumns}, p.position
  from fibric.event e
  left join fibric.event_position p on p.serial = e.serial
 where e.tenant_id = any($1)
   and e.event_id = $2
   and e.received_at = $3`

/** One event by its id, in one of the domains. */
export async function readEvent(
  tx: Transaction,
  tenants: readonly TenantId[],
  eventId: string,
): Promise<StoredEvent | null> {
  const receivedAt = instantOf(eventId)
  if (receivedAt === null) return null
  const rows = await tx.query<EventRow>(selectEvent, [tenants, eventId, receivedAt])
  return rows[0] ? storedEvent(rows[0]) : null
}

const selectBody = `select body from fibric.event where tenant_id = any($1) and event_id = $2 and received_at = $3`

/** The bytes an event was received as; null when it came from inside, or is not there. */
export async function readEventBody(
  tx: Transaction,
  tenants: readonly TenantId[],
  eventId: string,
): Promise<Buffer | null> {
  const receivedAt = instantOf(eventId)
  if (receivedAt === null) return null
  const rows = await tx.query<{ body: Buffer | null }>(selectBody, [tenants, eventId, receivedAt])
  return rows[0]?.body ?? null
}

export interface EventQuery {
  readonly tenants: readonly TenantId[]
  /** The id to go on from, towards older ones. */
  readonly before: string | null
  readonly limit: number
  readonly source?: string | null
  readonly eventType?: string | null
  readonly correlationId?: string | null
}

const selectEvents = `
select ${eventColumns}, p.position
  from fibric.event e
  left join fibric.event_position p on p.serial = e.serial
 where e.tenant_id = any($1)
   and ($2::text is null or e.event_id < $2)
   and ($3::timestamptz is null or e.received_at <= $3)
   and ($4::text is null or e.source = $4)
   and ($5::text is null or e.event_type = $5)
   and ($6::text is null or e.correlation_id = $6)
 order by e.event_id desc
 limit $7`

/** Events of some domains, newest first. */
export async function readEvents(tx: Transaction, query: EventQuery): Promise<StoredEvent[]> {
  const { before } = query
  const rows = await tx.query<EventRow>(selectEvents, [
    query.tenants,
    before,
    before === null ? null : instantOf(before),
    query.source ?? null,
    query.eventType ?? null,
    query.correlationId ?? null,
    query.limit,
  ])
  return rows.map(storedEvent)
}

const selectByPosition = `
select e.*, p.position
  from (select position, serial, received_at
          from fibric.event_position
         where tenant_id = $1
           and position > $2
           and position <= $3
         order by position
         limit $4) p
 cross join lateral (
   select ${eventColumns}
     from fibric.event e
    where e.serial = p.serial and e.received_at = p.received_at
    limit 1) e
 order by p.position`

/** Events after a position, in order. There are no gaps: what has no position yet comes after everything that has. */
export async function readFrom(
  tx: Transaction,
  tenant: TenantId,
  range: { readonly after: number; readonly upTo?: number | null; readonly limit: number },
): Promise<(StoredEvent & { readonly position: number })[]> {
  const upTo = range.upTo ?? Number.MAX_SAFE_INTEGER
  const rows = await tx.query<EventRow & { position: number }>(selectByPosition, [
    tenant,
    range.after,
    upTo,
    range.limit,
  ])
  return rows.map((row) => ({ ...storedEvent(row), position: row.position }))
}

/** The instant an event id was made from; null when it is none. */
export function instantOf(eventId: string): string | null {
  const match = /^ev_([0-9a-f]{12})7[0-9a-f]{19}$/.exec(eventId)
  if (match === null) return null
  const instant = new Date(Number.parseInt(match[1]!, 16))
  return Number.isNaN(instant.getTime()) || instant.getUTCFullYear() > 9999 ? null : instant.toISOString()
}

function storedEvent(row: EventRow): StoredEvent {
  return {
    envelope: {
      event_id: row.event_id,
      reseller_id: row.reseller_id,
      tenant_id: row.tenant_id,
      workspace_id: row.workspace_id,
      source: row.source,
      event_type: row.event_type,
      correlation_id: row.correlation_id,
      payload: payloadOf(row),
      agent_id: row.agent_id,
      session_id: row.session_id,
    },
    receivedAt: row.received_at,
    key: row.idempotency_key,
    depth: row.depth,
    origin: row.origin,
    position: row.position,
  }
}

function payloadOf(row: EventRow): JsonObject {
  try {
    return JSON.parse(row.payload.toString('utf8')) as JsonObject
  } catch (cause) {
    throw new FibricError('INTERNAL', `the stored payload of \`${row.event_id}\` is damaged`, { cause })
  }
}

export interface EventOutline {
  readonly position: number
  readonly event_id: string
  readonly event_type: string
  readonly received_at: string
}

const selectOutlines = `
select p.position, e.event_id, e.event_type, p.received_at
  from (select position, serial, received_at
          from fibric.event_position
         where tenant_id = $1
           and position > $2
           and position <= $3
         order by position
         limit $4) p
 cross join lateral (
   select e.event_id, e.event_type
     from fibric.event e
    where e.serial = p.serial and e.received_at = p.received_at
    limit 1) e
 order by p.position`

/** What a range of the log holds, without payloads. */
export function readOutlines(
  tx: Transaction,
  tenant: TenantId,
  range: { readonly after: number; readonly upTo: number; readonly limit: number },
): Promise<EventOutline[]> {
  return tx.query<EventOutline>(selectOutlines, [tenant, range.after, range.upTo, range.limit])
}
