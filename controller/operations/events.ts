import type { NewEvent } from '../domain/envelope.ts'
import { FibricError } from '../domain/errors.ts'
import { platformTenantId, type TenantId } from '../domain/ids.ts'
import type { Engine } from '../engine.ts'
import { type Appended, appendEvents } from '../ingest/append.ts'
import { type BodyRules, readBatchBody, readEventBody } from '../ingest/event-body.ts'
import { gatewayInForce, refuseOtherCredential, refuseOtherTypes } from '../ingest/gateways.ts'
import { sequencerOf } from '../ingest/sequencer.ts'
import type { DomainRow } from '../store/domains.ts'
import { doorbellOf } from '../store/event-doorbell.ts'
import { readHeads } from '../store/event-lanes.ts'
import { readEvent, readEvents, readFrom, type StoredEvent } from '../store/events.ts'
import { requireScope } from '../tenancy/actor.ts'
import { readSecret } from '../tenancy/secrets.ts'
import { tenantIdsOf, visibleDomains } from './domains.ts'
import { admissionOf } from './ingest.ts'

/** An event as it is shown, with the name of its domain. */
export interface ShownEvent extends StoredEvent {
  readonly tenant: string
}

/** A request at the door: bytes as received. */
export interface EventRequest {
  readonly body: Buffer
  readonly contentType: string | undefined
  /** The header `Idempotency-Key`. */
  readonly key: string | null
  /** Whose event it is where credential and Host do not say. */
  readonly tenant: string | null
  readonly hostTenantId?: TenantId | null
  /** What a gateway presents beside its key. */
  readonly gatewayCredential?: string | null
}

/** Takes one event in; answers after the commit. The same key and content again answers the first event. */
export async function sendEvent(engine: Engine, request: EventRequest): Promise<ShownEvent> {
  requireScope(engine.actor, 'events:write')
  const domain = await domainAtDoor(engine, request.tenant, request.hostTenantId ?? null)
  await admissionOf(engine).admit(domain.tenant_id, domain.slug)
  const rules: BodyRules = { ...rulesFor(domain, request.key), origin: 'api', source: 'api', sourceFixed: false }
  const event = readEventBody(request.body, request.contentType, rules)
  const appended = (await appendEvents(engine.database, domain.tenant_id, [event]))[0]!
  switch (appended.outcome) {
    case 'appended':
      return { ...justStored(domain, event, appended), tenant: domain.slug }
    case 'duplicate':
      return shown(engine, domain, appended.eventId)
    case 'conflict':
      throw conflict(event.key ?? '', appended.eventId)
  }
}

/** What the log says of an event that was committed just now, without asking it. */
function justStored(domain: DomainRow, event: NewEvent, appended: Appended & { outcome: 'appended' }): StoredEvent {
  return {
    envelope: {
      event_id: appended.eventId,
      reseller_id: domain.reseller_id,
      tenant_id: domain.tenant_id,
      workspace_id: event.workspaceId ?? null,
      source: event.source,
      event_type: event.eventType,
      correlation_id: appended.correlationId,
      payload: event.payload,
      agent_id: event.agentId ?? null,
      session_id: event.sessionId ?? null,
    },
    receivedAt: appended.receivedAt,
    key: event.key ?? null,
    depth: event.depth ?? 0,
    origin: event.origin,
    position: null,
  }
}

export interface BatchItem {
  readonly id: string
  readonly status: 'appended' | 'duplicate' | 'conflict'
}

/** Takes a gateway's batch in, whole or not at all; a key that stands for other content is told of, event by event. */
export async function sendGatewayBatch(engine: Engine, name: string, request: EventRequest): Promise<BatchItem[]> {
  requireScope(engine.actor, 'events:write')
  const domain = await domainAtDoor(engine, request.tenant, request.hostTenantId ?? null)
  const { tenant_id: tenantId, slug } = domain
  const gateway = await gatewayInForce(engine.database, tenantId, slug, name)
  if (gateway.credential !== null) {
    const wanted = { versions: 2 as const, now: engine.clock() }
    const live = await readSecret(engine.database, tenantId, gateway.credential, 'value', wanted)
    refuseOtherCredential(
      gateway,
      request.gatewayCredential ?? null,
      live.map(({ value }) => value),
    )
  }
  const rules: BodyRules = { ...rulesFor(domain, null), origin: 'gateway', source: name, sourceFixed: true }
  const events = readBatchBody(request.body, request.contentType, rules)
  refuseOtherTypes(gateway, events)
  const admission = admissionOf(engine)
  await admission.admit(tenantId, slug, events.length)
  if (gateway.quota !== null) {
    await admission.meters.take(tenantId, `gateway:${name}`, events.length, gateway.quota, `the gateway \`${name}\``)
  }
  const appended = await appendEvents(engine.database, tenantId, events)
  return appended.map(({ eventId, outcome }) => ({ id: eventId, status: outcome }))
}

export interface EventFilter {
  readonly tenant: string | null
  readonly source?: string | null
  readonly eventType?: string | null
  readonly correlationId?: string | null
}

/** One page of the log of the domains in sight, newest first; `before` is the id to go on from. */
export async function listEvents(
  engine: Engine,
  filter: EventFilter,
  before: string | null,
  limit: number,
): Promise<ShownEvent[]> {
  requireScope(engine.actor, 'events:read')
  const domains = await visibleDomains(engine, filter.tenant)
  const tenants = tenantIdsOf(domains)
  const events = await engine.database.asWorker(
    tenants,
    (tx) => readEvents(tx, { ...filter, tenants, before, limit }),
    { access: 'read only' },
  )
  return withSlugs(domains, events)
}

export async function showEvent(engine: Engine, eventId: string): Promise<ShownEvent> {
  requireScope(engine.actor, 'events:read')
  const domains = await visibleDomains(engine, null)
  const tenants = tenantIdsOf(domains)
  const event = await engine.database.asWorker(tenants, (tx) => readEvent(tx, tenants, eventId), {
    access: 'read only',
  })
  if (!event) {
    throw new FibricError('NOT_FOUND', `there is no event \`${eventId.toWellFormed().slice(0, 100)}\``, {
      hint: 'see them with: fibric events list',
    })
  }
  return withSlugs(domains, [event])[0]!
}

/** The one domain an event goes into or is followed in: the credential's, else the Host's, else the one that is named. */
export async function domainAtDoor(
  engine: Engine,
  slug: string | null,
  hostTenantId: TenantId | null,
): Promise<DomainRow> {
  const domains = await visibleDomains(engine, slug)
  const bound = engine.actor.tenantId ?? hostTenantId
  const wanted = domains.filter((domain) =>
    bound === null ? domain.tenant_id !== platformTenantId : domain.tenant_id === bound,
  )
  if (wanted.length === 1) return wanted[0]!
  throw new FibricError('USAGE', 'which tenant is meant is not said', {
    hint: 'name it: --tenant acme, or ?tenant=acme',
  })
}

const followBatch = 200
const followLookMs = 250

/**
 * Events of the domains in sight as they get their positions, in order within a domain: after `after` where there is one
 * domain, else from now on. Ends when the signal aborts.
 */
export async function* followEvents(
  engine: Engine,
  domains: readonly DomainRow[],
  after: number | null,
  signal: AbortSignal,
): AsyncGenerator<ShownEvent> {
  requireScope(engine.actor, 'events:read')
  const { database } = engine
  const heads = () => database.asWorker([], (tx) => readHeads(tx, tenantIdsOf(domains)), { access: 'read only' })
  const start = await heads()
  const at = new Map(domains.map(({ tenant_id: id }) => [id, after ?? start.get(id) ?? 0]))
  let wake: () => void = () => {}
  const deaf = doorbellOf(database).listen((tenantId) => {
    if (at.has(tenantId)) wake()
  })
  const stop = (): void => wake()
  signal.addEventListener('abort', stop)
  try {
    while (!signal.aborted) {
      let found = false
      const reached = await heads()
      for (const domain of domains) {
        const position = at.get(domain.tenant_id)!
        if ((reached.get(domain.tenant_id) ?? 0) <= position) continue
        const events = await database.asWorker(
          [domain.tenant_id],
          (tx) => readFrom(tx, domain.tenant_id, { after: position, limit: followBatch }),
          { access: 'read only' },
        )
        for (const event of withSlugs([domain], events)) {
          if (signal.aborted) return
          yield event
        }
        found ||= events.length > 0
        at.set(domain.tenant_id, events.at(-1)?.position ?? position)
      }
      if (!found && !signal.aborted) {
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, followLookMs)
          wake = () => {
            clearTimeout(timer)
            resolve()
          }
        })
      }
    }
  } finally {
    deaf()
    signal.removeEventListener('abort', stop)
  }
}

/** Waits until what this process appended has its positions: before a command ends. */
export function settleEvents(engine: Engine): Promise<void> {
  return sequencerOf(engine.database).settled()
}

function rulesFor(domain: DomainRow, key: string | null): Pick<BodyRules, 'tenancy' | 'key'> {
  return { tenancy: { tenantId: domain.tenant_id, slug: domain.slug, resellerId: domain.reseller_id }, key }
}

async function shown(engine: Engine, domain: DomainRow, eventId: string): Promise<ShownEvent> {
  const tenants = [domain.tenant_id]
  const event = await engine.database.asWorker(tenants, (tx) => readEvent(tx, tenants, eventId), {
    access: 'read only',
  })
  if (!event) throw new FibricError('NOT_FOUND', `the event \`${eventId}\` was kept and is past its retention`)
  return withSlugs([domain], [event])[0]!
}

function withSlugs(domains: readonly DomainRow[], events: readonly StoredEvent[]): ShownEvent[] {
  const slugs = new Map(domains.map((domain) => [domain.tenant_id, domain.slug]))
  return events.map((event) => ({ ...event, tenant: slugs.get(event.envelope.tenant_id)! }))
}

function conflict(key: string, eventId: string): FibricError {
  return new FibricError('IDEMPOTENCY_CONFLICT', `the idempotency key \`${key}\` stands for other content`, {
    hint: `it is the key of \`${eventId}\`; send other content under another key`,
    details: { event_id: eventId },
  })
}
