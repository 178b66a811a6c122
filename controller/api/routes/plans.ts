import { FibricError } from '../../domain/errors.ts'
import { simulationJson } from '../../operations/effect-objects.ts'
import { actionJson, answeredJson, executionPlanJson, shownPlanJson } from '../../operations/objects.ts'
import { answerPlans, listPlans, listWaiting, showPlans } from '../../operations/plans.ts'
import { simulatePlan } from '../../operations/simulate.ts'
import { listOf, pageOf, pageOfAll, pageQuery } from '../cursor.ts'
import { wholeList } from '../parameters.ts'
import { type Call, type RouteGroup, route, type Schema } from '../route.ts'
import { ref } from '../schemas.ts'

/** Execution plans, and what waits for a person. */
export const planRoutes: RouteGroup = {
  name: 'plans',
  register(server) {
    route(server, {
      method: 'GET',
      url: '/v1/plans',
      scope: 'plans:read',
      summary: 'Execution plans, newest first',
      query: { ...pageQuery, tenant },
      response: listOf(ref('ExecutionPlan')),
      handler: (call) => {
        const of = textOf(call.query.tenant)
        return pageOf(call, of, {
          read: (after, count) => listPlans(call.engine, of, count, after),
          positionOf: (plan) => plan.plan_id,
          show: executionPlanJson,
        })
      },
    })
    route(server, {
      method: 'GET',
      url: '/v1/plans/waiting',
      scope: 'plans:read',
      summary: 'Actions that wait for a person or for another action, oldest first',
      query: { ...pageQuery, tenant },
      response: listOf(ref('Action')),
      async handler(call) {
        const of = textOf(call.query.tenant)
        const waiting = await listWaiting(call.engine, of)
        const sorted = waiting.toSorted((a, b) => (a.action_id < b.action_id ? -1 : 1))
        return pageOfAll(call, of, sorted, ({ action_id: id }) => id, actionJson)
      },
    })
    route(server, {
      method: 'GET',
      url: '/v1/plans/named/{id}',
      scope: 'plans:read',
      summary: 'Every execution plan an id names: that of a plan, an action, a configuration plan, or a correlation id',
      response: listOf(ref('ShownExecutionPlan')),
      handler: async ({ engine, params }) => wholeList((await showPlans(engine, params.id!)).map(shownPlanJson)),
    })
    route(server, {
      method: 'GET',
      url: '/v1/plans/{id}',
      scope: 'plans:read',
      summary: 'One execution plan with its actions, by its id or that of one of its actions',
      response: ref('ShownExecutionPlan'),
      handler: async ({ engine, params }) => shownPlanJson(await planNamed(engine, params.id!)),
    })
    route(server, {
      method: 'POST',
      url: '/v1/plans/{id}/simulate',
      scope: 'plans:read',
      summary: 'The actions of a recorded plan gone through again as things stand, with nothing read, written or sent',
      description: 'The id is that of a plan of effects, or of one of its actions.',
      response: ref('Simulation'),
      handler: async ({ engine, params }) => simulationJson(await simulatePlan(engine, params.id!)),
    })
    for (const decision of ['approve', 'veto'] as const) {
      route(server, {
        method: 'POST',
        url: `/v1/plans/{id}/${decision}`,
        scope: 'plans:approve',
        summary:
          decision === 'approve'
            ? 'Approve what is held and yours to approve, of a plan or of one action'
            : 'End what is held and yours to veto, of a plan or of one action',
        description: 'The id is that of a plan, an action, a configuration plan, or a correlation id.',
        bodyOptional: true,
        body: {
          type: 'object',
          additionalProperties: false,
          properties: { reason: { type: 'string', minLength: 1, maxLength: 1000 } },
        },
        response: listOf(ref('Answer')),
        handler: (call) => answerHeld(call, decision),
      })
    }
  },
}

const tenant: Schema = { type: 'string', minLength: 1, maxLength: 63, description: 'slug of one tenant' }

/** One plan: a configuration plan and a correlation id name several, one a domain. */
async function planNamed(engine: Call['engine'], id: string) {
  const plans = await showPlans(engine, id)
  if (plans.length === 1) return plans[0]!
  throw new FibricError('INVALID_PARAMETER', `\`${id}\` names ${plans.length} execution plans`, {
    details: { plans: plans.map((plan) => plan.plan_id) },
  })
}

async function answerHeld(call: Call, decision: 'approve' | 'veto') {
  const reason = typeof call.body.reason === 'string' ? call.body.reason : null
  const answered = await answerPlans(call.engine, call.params.id!, decision, reason)
  return { object: 'list', data: answeredJson(answered), has_more: false, next_cursor: null }
}

function textOf(value: string | number | boolean | undefined): string | null {
  return value === undefined ? null : String(value)
}
