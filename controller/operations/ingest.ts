import { parseDurationMs } from '../domain/duration.ts'
import { FibricError } from '../domain/errors.ts'
import type { TenantId } from '../domain/ids.ts'
import type { Engine } from '../engine.ts'
import { Admission, admissionLimits } from '../ingest/admission.ts'
import { appendEvents } from '../ingest/append.ts'
import { keepLog, type LogSettings, logSettings } from '../ingest/maintenance.ts'
import { receiveWebhook, type WebhookOutcome } from '../ingest/webhook.ts'
import { type PostgresBusOptions, postgresEventBus } from '../seams/event-bus/postgres.ts'
import type { EventBus } from '../seams/event-bus.ts'
import type { Database } from '../store/connect.ts'
import { type DomainRow, findDomain, readDomain } from '../store/domains.ts'
import { readSecret } from '../tenancy/secrets.ts'

/** What decides whether a tenant's events are taken in; one a database and process. */
export function admissionOf(engine: Pick<Engine, 'database' | 'clock'>): Admission {
  const known = admissions.get(engine.database)
  if (known) return known
  const admission = new Admission(engine.database, admissionLimits, engine.clock)
  admissions.set(engine.database, admission)
  return admission
}

const admissions = new WeakMap<Database, Admission>()

/** The bus over this engine's log. */
export function openEventBus(
  engine: Pick<Engine, 'database'>,
  options: Omit<PostgresBusOptions, 'append'> = {},
): EventBus {
  const { database } = engine
  return postgresEventBus(database, {
    ...options,
    append: async (tenantId, events) => (await appendEvents(database, tenantId, events)).map(({ eventId }) => eventId),
  })
}

/** FIBRIC_EVENT_RETENTION: how long events are kept at least (`90d`); for ever where it is not set. */
export function settleEventLog(environment: NodeJS.ProcessEnv): LogSettings {
  const text = environment.FIBRIC_EVENT_RETENTION
  if (!text) return logSettings
  const retentionMs = parseDurationMs(text)
  if (retentionMs !== null && retentionMs >= dayMs) return { ...logSettings, retentionMs }
  throw new FibricError('USAGE', `FIBRIC_EVENT_RETENTION is \`${text}\`, not a duration of a day or more`, {
    hint: 'write it as 90d',
  })
}

const dayMs = 86_400_000

/** Keeps the log in order until stopped: positions that a killed process left out, partitions, keys, retention. */
export function keepEvents(
  engine: Pick<Engine, 'database' | 'clock'>,
  onFailure: (error: unknown) => void,
  settings: LogSettings,
): { stop(): Promise<void> } {
  return keepLog(engine.database, settings, engine.clock, onFailure)
}

export interface WebhookRequest {
  /** The tenant of the Host, or null; and the slug of the path, or null. One of them is given; both must agree. */
  readonly hostTenantId: TenantId | null
  readonly slug: string | null
  readonly connection: string
  readonly eventType: string
  readonly path: string
  readonly headers: { readonly [name: string]: string | undefined }
  readonly body: Buffer
}

/** Takes a webhook in. Its sender has no credential: the verified signature is it. */
export async function receiveHook(engine: Engine, request: WebhookRequest): Promise<WebhookOutcome> {
  const domain = await domainOfHook(engine, request)
  return receiveWebhook(
    {
      database: engine.database,
      admission: admissionOf(engine),
      clock: engine.clock,
      secrets: async (tenantId, name) => {
        const live = await readSecret(engine.database, tenantId, name, 'webhook', { versions: 2, now: engine.clock() })
        return live.map(({ value }) => value)
      },
    },
    {
      // An unknown tenant has no webhook either, and is answered like one.
      tenantId: domain?.tenant_id ?? ('t_none' as TenantId),
      slug: domain?.slug ?? 'none',
      connection: request.connection,
      eventType: request.eventType,
      path: request.path,
      headers: request.headers,
      body: request.body,
    },
  )
}

/** Host and path name the same tenant, or one of them names it and the other nothing. */
async function domainOfHook(engine: Engine, { hostTenantId, slug }: WebhookRequest): Promise<DomainRow | null> {
  if (hostTenantId === null && slug === null) return null
  const domain = await engine.database.asWorker(
    [],
    (tx) => (hostTenantId !== null ? readDomain(tx, hostTenantId) : findDomain(tx, slug!)),
    { access: 'read only' },
  )
  return slug === null || domain?.slug === slug ? domain : null
}
