import { controlAction, listActions, showAction, undoAction, type Verb } from '../../operations/actions.ts'
import { effectJson } from '../../operations/effect-objects.ts'
import { whyWaiting } from '../../operations/waiting.ts'
import { listOf, pageOfAll, pageQuery } from '../cursor.ts'
import { bodyOf, queried, reasonText, tenantQuery } from '../parameters.ts'
import { type Call, type RouteGroup, route } from '../route.ts'
import { ref } from '../schemas.ts'

/** Effects: what is under way, and what a person may do about one. */
export const actionRoutes: RouteGroup = {
  name: 'actions',
  register(server) {
    route(server, {
      method: 'GET',
      url: '/v1/actions',
      scope: 'plans:read',
      summary: 'Actions that have not ended, oldest first',
      query: { ...pageQuery, ...tenantQuery, state: { type: 'string', enum: openStates } },
      response: listOf(ref('Effect')),
      async handler(call) {
        const filter = { tenant: queried(call, 'tenant'), state: queried(call, 'state') }
        const actions = await listActions(call.engine, filter.tenant, filter.state)
        const sorted = actions.toSorted((a, b) => (a.action_id < b.action_id ? -1 : 1))
        return pageOfAll(call, filter, sorted, ({ action_id: id }) => id, effectJson)
      },
    })
    route(server, {
      method: 'GET',
      url: '/v1/actions/waiting',
      scope: 'plans:read',
      summary: 'What keeps an action, a plan or an entity from moving on, and what would end the wait',
      query: { ...pageQuery, of: { type: 'string', minLength: 1, maxLength: 1024 } },
      queryRequired: ['of'],
      response: listOf(ref('Wait')),
      async handler(call) {
        const id = queried(call, 'of')!
        const reasons = (await whyWaiting(call.engine, id)).map((message, index) => ({ message, index }))
        const show = ({ message }: { message: string }) => ({ object: 'wait', address: id, message })
        return pageOfAll(call, { of: id }, reasons, ({ index }) => String(index).padStart(6, '0'), show)
      },
    })
    route(server, {
      method: 'GET',
      url: oneAction,
      scope: 'plans:read',
      summary: 'One action, ended or not',
      response: ref('Effect'),
      handler: async ({ engine, params }) => effectJson(await showAction(engine, params.id!)),
    })
    route(server, {
      method: 'POST',
      url: `${oneAction}/undo`,
      scope: 'actions:write',
      summary: 'Propose the declared inverse of an applied action, through the same gate',
      description: 'Answers the action that was proposed, as far as it came.',
      response: ref('Effect'),
      handler: async ({ engine, params }) => effectJson(await undoAction(engine, params.id!)),
    })
    route(server, {
      method: 'POST',
      url: `${oneAction}/resolve`,
      scope: 'actions:write',
      summary: 'Say of an action in doubt whether it happened',
      body: bodyOf({ happened: { type: 'boolean' }, reason: reasonText }, ['happened', 'reason']),
      response: ref('Effect'),
      handler: (call) => controlled(call, call.body.happened === true ? 'applied' : 'failed'),
    })
    for (const verb of ['cancel', 'kill'] as const) {
      route(server, {
        method: 'POST',
        url: `${oneAction}/${verb}`,
        scope: 'actions:write',
        summary:
          verb === 'cancel'
            ? 'End an action of which nothing is under way'
            : 'Take an action away from whoever carries it out: what it did is then in doubt',
        body: bodyOf({ reason: reasonText }, ['reason']),
        response: ref('Effect'),
        handler: (call) => controlled(call, verb),
      })
    }
  },
}

const oneAction = '/v1/actions/{id}'

const openStates = ['planned', 'held', 'intent', 'waiting', 'unknown', 'reconciling', 'manual'] as const

async function controlled(call: Call, verb: Verb) {
  return effectJson(await controlAction(call.engine, call.params.id!, verb, String(call.body.reason)))
}
