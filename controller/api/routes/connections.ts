import { listConnections, showConnection, testConnection } from '../../operations/connections.ts'
import { connectionJson } from '../../operations/effect-objects.ts'
import { listOf, pageOfAll, pageQuery } from '../cursor.ts'
import { domainMeant, queried, tenantQuery } from '../parameters.ts'
import { type RouteGroup, route } from '../route.ts'
import { ref } from '../schemas.ts'

/** Applied connections: where they go, and whether they have what they need. */
export const connectionRoutes: RouteGroup = {
  name: 'connections',
  register(server) {
    route(server, {
      method: 'GET',
      url: '/v1/connections',
      scope: 'config:read',
      summary: 'Applied connections, by address',
      query: { ...pageQuery, ...tenantQuery },
      response: listOf(ref('ConnectionInForce')),
      async handler(call) {
        const tenant = queried(call, 'tenant')
        const connections = await listConnections(call.engine, tenant)
        const sorted = connections.toSorted((a, b) => (a.address < b.address ? -1 : 1))
        return pageOfAll(call, tenant, sorted, ({ address }) => address, connectionJson)
      },
    })
    route(server, {
      method: 'GET',
      url: '/v1/connections/{name}',
      scope: 'config:read',
      summary: 'One connection',
      query: tenantQuery,
      response: ref('ConnectionInForce'),
      handler: async (call) =>
        connectionJson(await showConnection(call.engine, await domainMeant(call), call.params.name!)),
    })
    route(server, {
      method: 'POST',
      url: '/v1/connections/{name}/test',
      scope: 'runs:write',
      summary: "Make the request of its connector's probe, with the connection's own credential",
      description: 'That it does not answer well is an answer: `probe.kind` is `failed`.',
      query: tenantQuery,
      response: ref('ProbedConnection'),
      async handler(call) {
        const { connection, probe } = await testConnection(call.engine, await domainMeant(call), call.params.name!)
        return { ...connectionJson(connection), probe }
      },
    })
  },
}
