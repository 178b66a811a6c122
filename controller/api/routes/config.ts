import { findDrift } from '../../operations/drift.ts'
import { readStatus } from '../../operations/status.ts'
import { whyWaiting } from '../../operations/waiting.ts'
import { listOf, pageOfAll, pageQuery } from '../cursor.ts'
import { addressOf, textOf } from '../parameters.ts'
import { type RouteGroup, route, type Schema } from '../route.ts'
import { ref } from '../schemas.ts'

/** How what is applied stands, and what waits. */
export const configRoutes: RouteGroup = {
  name: 'config',
  register(server, { directory }) {
    route(server, {
      method: 'GET',
      url: '/v1/config/status',
      scope: 'config:read',
      summary: 'What is applied, and what waits',
      response: ref('ConfigStatus'),
      handler: async ({ engine }) => ({
        object: 'config_status',
        ...(await readStatus(engine)),
        follows: directory !== null,
      }),
    })
    route(server, {
      method: 'GET',
      url: '/v1/config/waiting/{tenant}/{kind}/{name}',
      scope: 'config:read',
      summary: 'What keeps a resource from moving on',
      query: pageQuery,
      response: listOf(ref('Wait')),
      async handler(call) {
        const address = addressOf(call)
        const reasons = (await whyWaiting(call.engine, address)).map((message, index) => ({ message, index }))
        const show = ({ message }: { message: string }) => ({ object: 'wait', address, message })
        return pageOfAll(call, address, reasons, ({ index }) => String(index).padStart(6, '0'), show)
      },
    })
    route(server, {
      method: 'GET',
      url: '/v1/config/drift',
      scope: 'config:read',
      summary: 'Objects that disagree with their last receipt, by address',
      query: { ...pageQuery, tenant: slug },
      response: listOf(ref('Drift')),
      async handler(call) {
        const drifted = await findDrift(call.engine, textOf(call.query.tenant))
        const show = (each: (typeof drifted)[number]) => ({ object: 'drift', ...each })
        return pageOfAll(call, textOf(call.query.tenant), drifted, ({ address }) => address, show)
      },
    })
  },
}

const slug: Schema = { type: 'string', minLength: 1, maxLength: 63, description: 'slug of one tenant' }
