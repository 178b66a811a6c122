import { acknowledgeAlert, listAlerts } from '../../operations/alerts.ts'
import { alertJson } from '../../operations/effect-objects.ts'
import { listOf, pageOf, pageQuery } from '../cursor.ts'
import { bodyOf, queried, reasonText, tenantQuery } from '../parameters.ts'
import { type RouteGroup, route } from '../route.ts'
import { ref } from '../schemas.ts'

/** What ran, and somebody is to be told of. */
export const alertRoutes: RouteGroup = {
  name: 'alerts',
  register(server) {
    route(server, {
      method: 'GET',
      url: '/v1/alerts',
      scope: 'plans:read',
      summary: 'What ran under a rule that notifies and nobody has acknowledged, newest first',
      query: {
        ...pageQuery,
        ...tenantQuery,
        all: { type: 'boolean', description: 'those that were acknowledged as well' },
      },
      response: listOf(ref('Alert')),
      async handler(call) {
        const filter = { tenant: queried(call, 'tenant'), all: call.query.all === true }
        return pageOf(call, filter, {
          read: (after, count) => listAlerts(call.engine, filter, after, count),
          positionOf: (alert) => alert.alert_id,
          show: alertJson,
        })
      },
    })
    route(server, {
      method: 'POST',
      url: '/v1/alerts/{id}/acknowledge',
      scope: 'actions:write',
      summary: 'Say that you saw it: it is listed no more, and the ledger names you',
      body: bodyOf({ reason: reasonText }, ['reason']),
      response: ref('Alert'),
      handler: async ({ engine, params, body }) =>
        alertJson(await acknowledgeAlert(engine, params.id!, String(body.reason))),
    })
  },
}
