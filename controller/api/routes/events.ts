import { deadLetterReasons } from '../../domain/dead-letter.ts'
import { FibricError } from '../../domain/errors.ts'
import { listDeadLetters, redriveDeadLetter } from '../../operations/dead-letters.ts'
import { visibleDomains } from '../../operations/domains.ts'
import { deadLetterJson, eventJson, replayJson } from '../../operations/event-objects.ts'
import {
  domainAtDoor,
  followEvents,
  listEvents,
  type ShownEvent,
  sendEvent,
  showEvent,
} from '../../operations/events.ts'
import { replayEvents } from '../../operations/replay.ts'
import { listOf, pageOf, pageQuery } from '../cursor.ts'
import { type Call, type RouteGroup, route, Streamed } from '../route.ts'
import { deadLetterSchema, eventSchema, replaySchema } from './event-schemas.ts'

const tenantQuery = {
  type: 'string',
  minLength: 1,
  maxLength: 63,
  description: 'one tenant, where the credential sees several',
}
const nameQuery = { type: 'string', minLength: 1, maxLength: 255 }

/** The log: events in, and read, followed and delivered again. */
export const eventRoutes: RouteGroup = {
  name: 'events',
  register(server) {
    route(server, {
      method: 'POST',
      url: '/v1/events',
      scope: 'events:write',
      summary: 'Send an event',
      description:
        'JSON, or a CloudEvent 1.0 in structured mode (`application/cloudevents+json`). Answered after the commit. With an `Idempotency-Key` (or `idempotency_key` in the body) the same content again answers the first event, and other content is refused.',
      query: { tenant: tenantQuery },
      rawBody: true,
      idempotent: false,
      status: 202,
      response: eventSchema,
      handler: async (call) =>
        eventJson(
          await sendEvent(call.engine, {
            body: call.raw,
            contentType: call.headers['content-type'],
            key: call.headers['idempotency-key'] ?? null,
            tenant: textOf(call, 'tenant'),
            hostTenantId: call.hostTenantId,
          }),
        ),
    })
    route(server, {
      method: 'GET',
      url: '/v1/events',
      scope: 'events:read',
      summary: 'List events, newest first',
      query: { ...pageQuery, tenant: tenantQuery, source: nameQuery, event_type: nameQuery, correlation_id: nameQuery },
      response: listOf(eventSchema),
      handler: (call) => {
        const filter = {
          tenant: textOf(call, 'tenant'),
          source: textOf(call, 'source'),
          eventType: textOf(call, 'event_type'),
          correlationId: textOf(call, 'correlation_id'),
        }
        return pageOf(
          call,
          { list: 'events', ...filter },
          {
            read: (after, count) => listEvents(call.engine, filter, after, count),
            positionOf: (event: ShownEvent) => event.envelope.event_id,
            show: eventJson,
          },
        )
      },
    })
    route(server, {
      method: 'GET',
      url: '/v1/events/stream',
      scope: 'events:read',
      summary: 'Follow the events of a tenant, or of all in sight',
      description:
        'Server-sent events in the order of the log. `Last-Event-ID` (or `after`) resumes after the id of an event received before; without it the stream begins now. Ids are given out where one tenant is followed.',
      query: { tenant: tenantQuery, after: { type: 'string', maxLength: 20 } },
      produces: 'text/event-stream',
      response: { type: 'string' },
      handler: async (call) => {
        const after = resumeFrom(call.headers['last-event-id'] ?? textOf(call, 'after'))
        const domains = await domainsToFollow(call, after)
        const events = followEvents(call.engine, domains, after, call.signal)
        return new Streamed('text/event-stream', serverSent(events, domains.length === 1))
      },
    })
    route(server, {
      method: 'GET',
      url: '/v1/events/dead-letters',
      scope: 'events:read',
      summary: 'List what was received and could not be processed, newest first',
      description: 'Those that were delivered again are left out unless `all` is true.',
      query: {
        ...pageQuery,
        tenant: tenantQuery,
        all: { type: 'boolean' },
        reason: { type: 'string', enum: [...deadLetterReasons] },
      },
      response: listOf(deadLetterSchema),
      handler: (call) => {
        const query = {
          tenant: textOf(call, 'tenant'),
          all: String(call.query.all) === 'true',
          reason: textOf(call, 'reason'),
        }
        return pageOf(
          call,
          { list: 'dead letters', ...query },
          {
            read: (after, count) => listDeadLetters(call.engine, query, after, count),
            positionOf: (letter) => letter.letter_id,
            show: deadLetterJson,
          },
        )
      },
    })
    route(server, {
      method: 'POST',
      url: '/v1/events/dead-letters/{id}/redrive',
      scope: 'operators:write',
      summary: 'Deliver a dead letter again, once',
      description:
        'What came in becomes an event by what is applied now; a run that died runs again over its event, with the same keys.',
      response: deadLetterSchema,
      handler: async (call) => deadLetterJson(await redriveDeadLetter(call.engine, call.params.id!)),
    })
    route(server, {
      method: 'POST',
      url: '/v1/events/replay',
      scope: 'operators:write',
      summary: 'Deliver stored events again, to those who are named or to every operator they trigger',
      description:
        'New deliveries with the same keys: what was applied is deduplicated. One replay for each who gets some; `dry_run` only counts.',
      query: { tenant: tenantQuery },
      body: {
        type: 'object',
        additionalProperties: false,
        properties: {
          consumers: {
            type: 'array',
            maxItems: 50,
            items: { type: 'string', minLength: 1, maxLength: 255 },
            description: 'operators by name, or other consumers; none: every operator whose trigger matches',
          },
          since: { type: 'string', format: 'date-time' },
          until: { type: 'string', format: 'date-time' },
          types: { type: 'array', maxItems: 20, items: { type: 'string', minLength: 1, maxLength: 255 } },
          dry_run: { type: 'boolean' },
        },
      },
      response: listOf(replaySchema),
      async handler(call) {
        const replays = await replayEvents(call.engine, {
          tenant: textOf(call, 'tenant'),
          hostTenantId: call.hostTenantId,
          consumers: (call.body.consumers ?? []) as string[],
          since: instantIn(call, 'since'),
          until: instantIn(call, 'until'),
          types: (call.body.types ?? []) as string[],
          dryRun: call.body.dry_run === true,
        })
        return { object: 'list', data: replays.map(replayJson), has_more: false, next_cursor: null }
      },
    })
    route(server, {
      method: 'GET',
      url: '/v1/events/{id}',
      scope: 'events:read',
      summary: 'One event',
      response: eventSchema,
      handler: async (call) => eventJson(await showEvent(call.engine, call.params.id!)),
    })
  },
}

function textOf(call: Call, name: string): string | null {
  const value = call.query[name]
  return value === undefined ? null : String(value)
}

function instantIn(call: Call, name: string): string | null {
  const text = call.body[name]
  if (text === undefined) return null
  const instant = new Date(String(text))
  if (!Number.isNaN(instant.getTime())) return instant.toISOString()
  throw new FibricError('VALIDATION_FAILED', `\`${name}\` is no instant`)
}

function resumeFrom(id: string | null): number | null {
  if (id === null || id === '') return null
  const position = /^\d{1,15}$/.test(id) ? Number(id) : null
  if (position !== null) return position
  throw new FibricError('INVALID_CURSOR', 'the id to resume after is none that this stream gave out')
}

/** A position is one of a single tenant's log: without one, every domain in sight can be followed from now on. */
async function domainsToFollow(call: Call, after: number | null) {
  const tenant = textOf(call, 'tenant')
  if (after === null && call.hostTenantId === null) return visibleDomains(call.engine, tenant)
  return [await domainAtDoor(call.engine, tenant, call.hostTenantId)]
}

/** A line of comment first, so that headers leave at once, and whoever waits knows that the stream stands. */
async function* serverSent(events: AsyncIterable<ShownEvent>, isOne: boolean): AsyncGenerator<string> {
  yield ': following\n\n'
  for await (const event of events) {
    const id = isOne ? `id: ${event.position}\n` : ''
    yield `${id}event: ${event.envelope.event_type}\ndata: ${JSON.stringify(eventJson(event))}\n\n`
  }
}
