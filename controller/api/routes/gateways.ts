import { sendGatewayBatch } from '../../operations/events.ts'
import { type RouteGroup, route } from '../route.ts'
import { acceptedSchema } from './event-schemas.ts'

/** Batches of hardware gateways, which only ever call out. */
export const gatewayRoutes: RouteGroup = {
  name: 'gateways',
  register(server) {
    route(server, {
      method: 'POST',
      url: '/v1/gateways/{name}/events',
      scope: 'events:write',
      summary: 'Send a batch of events of a gateway',
      description:
        '`{events: […]}`, or `application/cloudevents-batch+json`: 1 to 1000 events, taken whole or not at all, their source the gateway. Only types that its Gateway document lists, at the rate it names, and with the credential it names in `Fibric-Gateway-Credential`.',
      query: { tenant: { type: 'string', minLength: 1, maxLength: 63 } },
      rawBody: true,
      idempotent: false,
      status: 202,
      response: {
        type: 'object',
        required: ['object', 'data'],
        properties: { object: { const: 'batch' }, data: { type: 'array', items: acceptedSchema } },
      },
      handler: async (call) => {
        const items = await sendGatewayBatch(call.engine, call.params.name!, {
          body: call.raw,
          contentType: call.headers['content-type'],
          key: null,
          gatewayCredential: call.headers['fibric-gateway-credential'] ?? null,
          tenant: call.query.tenant === undefined ? null : String(call.query.tenant),
          hostTenantId: call.hostTenantId,
        })
        return { object: 'batch', data: items.map(({ id, status }) => ({ object: 'event', id, status })) }
      },
    })
  },
}
