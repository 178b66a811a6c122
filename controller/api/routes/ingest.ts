import { receiveHook } from '../../operations/ingest.ts'
import { type Call, type RouteGroup, route } from '../route.ts'
import { acceptedSchema } from './event-schemas.ts'

const webhook = {
  method: 'POST',
  scope: 'public',
  tag: 'ingest',
  rawBody: true,
  idempotent: false,
  status: 202,
  response: acceptedSchema,
} as const

/** Webhooks: who sends them has no credential but the signature over the bytes. */
export const ingestRoutes: RouteGroup = {
  name: 'ingest',
  register(server) {
    route(server, {
      ...webhook,
      url: '/v1/ingest/{connection}/{event}',
      summary: 'Receive a webhook on the Host of its tenant',
      description:
        'Verified on the raw bytes as the Connector says, before anything is parsed; unverified is 401 and nothing is stored. What repeating would not mend is answered 202 and kept as a dead letter.',
      handler: (call) => accepted(call, null),
    })
    route(server, {
      ...webhook,
      url: '/v1/t/{slug}/ingest/{connection}/{event}',
      summary: "Receive a webhook on the deployment's own hosts",
      handler: (call) => accepted(call, call.params.slug!),
    })
  },
}

async function accepted(call: Call, slug: string | null) {
  const { connection, event } = call.params
  const received = await receiveHook(call.engine, {
    hostTenantId: call.hostTenantId,
    slug,
    connection: connection!,
    eventType: event!,
    path: slug === null ? `/v1/ingest/${connection}/${event}` : `/v1/t/${slug}/ingest/${connection}/${event}`,
    headers: call.headers,
    body: call.raw,
  })
  return received.outcome === 'dead_letter'
    ? { object: 'dead_letter', id: received.letterId, status: received.outcome, reason: received.reason }
    : { object: 'event', id: received.eventId, status: received.outcome }
}
