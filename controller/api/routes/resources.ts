import { kinds } from '../../../schemas/index.ts'
import { stateJson } from '../../operations/objects.ts'
import { resume, suspend } from '../../operations/runtime-records.ts'
import { contentsOf, listState, showState } from '../../operations/state.ts'
import { listOf, pageOfAll, pageQuery } from '../cursor.ts'
import { addressOf, durationOf, textOf } from '../parameters.ts'
import { type Call, type RouteGroup, route, type Schema } from '../route.ts'
import { ref } from '../schemas.ts'

/** What is applied, and what is to be left alone. */
export const resourceRoutes: RouteGroup = {
  name: 'resource',
  register(server) {
    route(server, {
      method: 'GET',
      url: '/v1/config/resources',
      scope: 'config:read',
      summary: 'Applied resources, by address',
      query: {
        ...pageQuery,
        tenant: slug,
        kind: { type: 'string', enum: kinds.map(({ kind }) => kind) },
        name: shortText,
        labels: { type: 'string', maxLength: 1000, pattern: '^[^=,]+=[^=,]*(?:,[^=,]+=[^=,]*)*$' },
        content: { type: 'boolean', description: 'with the content of each' },
      },
      response: listOf(ref('Resource')),
      handler: listResources,
    })
    route(server, {
      method: 'GET',
      url: oneResource,
      scope: 'config:read',
      summary: 'One applied resource with its content',
      response: ref('Resource'),
      async handler(call) {
        const object = await showState(call.engine, addressOf(call))
        return { ...stateJson(object), content: object.content }
      },
    })
    route(server, {
      method: 'POST',
      url: `${oneResource}/suspend`,
      scope: 'operators:write',
      summary: 'Let nothing change this resource for a while',
      body: {
        type: 'object',
        additionalProperties: false,
        required: ['reason', 'for'],
        properties: { reason: { type: 'string', minLength: 1, maxLength: 500 }, for: duration },
      },
      response: ref('Suspension'),
      async handler(call) {
        const address = addressOf(call)
        const reason = String(call.body.reason)
        const until = await suspend(call.engine, address, reason, durationOf(call.body.for))
        return { object: 'suspension', address, until, reason }
      },
    })
    route(server, {
      method: 'POST',
      url: `${oneResource}/resume`,
      scope: 'operators:write',
      summary: 'End a suspension',
      response: ref('Suspension'),
      async handler(call) {
        const address = addressOf(call)
        await resume(call.engine, address)
        return { object: 'suspension', address, until: null, reason: null }
      },
    })
  },
}

const oneResource = '/v1/config/resources/{tenant}/{kind}/{name}'
const shortText: Schema = { type: 'string', minLength: 1, maxLength: 300 }
const slug: Schema = { type: 'string', minLength: 1, maxLength: 63, description: 'slug of one tenant' }
const duration: Schema = { type: 'string', minLength: 2, maxLength: 40, description: 'like 30s, 15m, 72h or 14d' }
async function listResources(call: Call) {
  const { tenant, kind, name, labels, content } = call.query
  const filter = { tenant: textOf(tenant), kind: textOf(kind), name: textOf(name), labels: labelsOf(textOf(labels)) }
  const objects = await listState(call.engine, filter)
  const page = await pageOfAll(
    call,
    filter,
    objects,
    ({ address }) => address,
    (object) => object,
  )
  const contents = content === true ? await contentsOf(call.engine, page.data) : null
  const shown = page.data.map((object) => ({
    ...stateJson(object),
    ...(contents && { content: contents.get(object.digest) ?? null }),
  }))
  return { ...page, data: shown }
}

function labelsOf(text: string | null): { [key: string]: string } {
  if (text === null) return {}
  return Object.fromEntries(text.split(',').map((pair) => pair.split('=') as [string, string]))
}
