import { traceJson } from '../../operations/effect-objects.ts'
import { trace } from '../../operations/trace.ts'
import { type RouteGroup, route } from '../route.ts'
import { ref } from '../schemas.ts'

export const traceRoutes: RouteGroup = {
  name: 'trace',
  register(server) {
    route(server, {
      method: 'GET',
      url: '/v1/trace/{id}',
      scope: 'receipts:read',
      summary: 'The whole story of any id: event, run, plan, verdict, approval, effect, receipt',
      response: ref('Trace'),
      handler: async ({ engine, params }) => traceJson(await trace(engine, params.id!)),
    })
  },
}
