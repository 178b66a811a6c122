import type { JsonObject } from '../../domain/json.ts'
import { stopJson } from '../../operations/objects.ts'
import { listStops, type Stopped, start, stop } from '../../operations/stops.ts'
import { listOf, pageOfAll, pageQuery } from '../cursor.ts'
import { bodyOf, domainNeeded, queried, reasonText, said, tenantQuery } from '../parameters.ts'
import { type RouteGroup, route, type Schema } from '../route.ts'
import { ref } from '../schemas.ts'

/** Effects that are stopped, whatever the rules say. */
export const stopRoutes: RouteGroup = {
  name: 'stops',
  register(server) {
    route(server, {
      method: 'GET',
      url: '/v1/stops',
      scope: 'plans:read',
      summary: 'What is stopped, oldest first',
      query: { ...pageQuery, ...tenantQuery },
      response: listOf(ref('Stop')),
      async handler(call) {
        const tenant = queried(call, 'tenant')
        const stops = (await listStops(call.engine, tenant)).map(stopJson)
        const sorted = stops.toSorted((a, b) => (a.stop_id < b.stop_id ? -1 : 1))
        return pageOfAll(
          call,
          tenant,
          sorted,
          ({ stop_id: id }) => id,
          (each) => each,
        )
      },
    })
    route(server, {
      method: 'POST',
      url: '/v1/stops',
      scope: 'actions:write',
      summary: 'Stop the effects of a tenant, operator, capability or connection, within a second',
      query: tenantQuery,
      body: stopBody,
      response: ref('Stop'),
      handler: async (call) =>
        stopJson(await stop(call.engine, await domainNeeded(call), stoppedOf(call.body), String(call.body.reason))),
    })
    route(server, {
      method: 'POST',
      url: '/v1/stops/end',
      scope: 'actions:write',
      summary: 'End a stop: what waited goes on, through the gate as ever',
      query: tenantQuery,
      body: stopBody,
      response: ref('EndedStop'),
      async handler(call) {
        const { body, engine } = call
        const tenant = await domainNeeded(call)
        const id = await start(engine, tenant, stoppedOf(body), String(body.reason))
        return { object: 'stop', stop_id: id, tenant, ended: true }
      },
    })
  },
}

const scopes = ['tenant', 'operator', 'capability', 'connection'] as const

const stopBody: Schema = bodyOf(
  {
    scope: { type: 'string', enum: scopes, description: 'what is stopped; the whole tenant unless said' },
    name: {
      type: 'string',
      minLength: 1,
      maxLength: 300,
      description: 'of an operator, a capability (a glob) or a connection',
    },
    reason: reasonText,
  },
  ['reason'],
)

function stoppedOf(body: JsonObject): Stopped {
  const scope = (said(body, 'scope') ?? 'tenant') as Stopped['scope']
  return { scope, name: scope === 'tenant' ? null : (said(body, 'name') ?? '') }
}
