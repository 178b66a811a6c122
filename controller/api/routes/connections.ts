import type { JsonObject } from '../../domain/json.ts'
import { listConnections, showConnection, testConnection } from '../../operations/connections.ts'
import { drillConnection } from '../../operations/drill.ts'
import { connectionJson, drillJson } from '../../operations/effect-objects.ts'
import { listOf, pageOfAll, pageQuery } from '../cursor.ts'
import { bodyOf, domainNeeded, queried, tenantQuery } from '../parameters.ts'
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
        connectionJson(await showConnection(call.engine, await domainNeeded(call), call.params.name!)),
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
        const { connection, probe } = await testConnection(call.engine, await domainNeeded(call), call.params.name!)
        return { ...connectionJson(connection), probe }
      },
    })
    route(server, {
      method: 'POST',
      url: '/v1/connections/{name}/drill',
      scope: 'actions:write',
      summary: "Prove a tool's `effect` class against the sandbox of its connection",
      description:
        'Sends what the rules allow, twice and broken off, and reads back. That it did not hold is an answer.',
      query: tenantQuery,
      body: bodyOf(
        {
          tool: { type: 'string', minLength: 1, maxLength: 200 },
          args: { type: 'object' },
          read: { type: 'string', minLength: 1, maxLength: 200 },
          read_args: { type: 'object' },
        },
        ['tool'],
      ),
      response: ref('Drill'),
      async handler(call) {
        const { tool, args, read, read_args: readArgs } = call.body
        const wish = {
          tool: String(tool),
          args: (args ?? {}) as JsonObject,
          read: read === undefined ? null : { tool: String(read), args: (readArgs ?? args ?? {}) as JsonObject },
        }
        return drillJson(await drillConnection(call.engine, await domainNeeded(call), call.params.name!, wish))
      },
    })
  },
}
