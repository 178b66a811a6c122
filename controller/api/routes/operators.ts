import type { JsonObject } from '../../domain/json.ts'
import { askedRunJson, operatorJson, simulationJson } from '../../operations/effect-objects.ts'
import {
  listOperators,
  pauseOperator,
  resumeOperator,
  runOperatorNow,
  showOperator,
} from '../../operations/operators.ts'
import { type SimulatedFrom, simulateOperator } from '../../operations/simulate.ts'
import { listOf, pageOfAll, pageQuery } from '../cursor.ts'
import { bodyOf, queried, reasonText, tenantQuery } from '../parameters.ts'
import { type RouteGroup, route, type Schema } from '../route.ts'
import { ref } from '../schemas.ts'

/** What proposes: whether it runs, and how to make it run, or not. */
export const operatorRoutes: RouteGroup = {
  name: 'operators',
  register(server) {
    route(server, {
      method: 'GET',
      url: '/v1/operators',
      scope: 'config:read',
      summary: 'Applied operators, whether each runs, and how its last run ended, by address',
      query: { ...pageQuery, ...tenantQuery },
      response: listOf(ref('OperatorInForce')),
      async handler(call) {
        const tenant = queried(call, 'tenant')
        const shown = (await listOperators(call.engine, tenant)).map(operatorJson)
        const sorted = shown.toSorted((a, b) => (a.address < b.address ? -1 : 1))
        return pageOfAll(call, tenant, sorted, ({ address }) => address, same)
      },
    })
    route(server, {
      method: 'GET',
      url: oneOperator,
      scope: 'config:read',
      summary: 'One operator, by its id, its name or its address',
      query: tenantQuery,
      response: ref('OperatorInForce'),
      handler: async (call) => operatorJson(await showOperator(call.engine, call.params.id!, queried(call, 'tenant'))),
    })
    route(server, {
      method: 'POST',
      url: `${oneOperator}/pause`,
      scope: 'operators:write',
      summary: 'Pause it, whatever its document says; its events wait',
      query: tenantQuery,
      body: bodyOf({ reason: reasonText }, ['reason']),
      response: paused,
      async handler(call) {
        const { id } = call.params
        const address = await pauseOperator(call.engine, id!, queried(call, 'tenant'), String(call.body.reason))
        return { object: 'operator', address, status: 'paused' }
      },
    })
    route(server, {
      method: 'POST',
      url: `${oneOperator}/resume`,
      scope: 'operators:write',
      summary: 'End a pause; it takes up the events that waited',
      query: tenantQuery,
      response: paused,
      async handler(call) {
        const address = await resumeOperator(call.engine, call.params.id!, queried(call, 'tenant'))
        return { object: 'operator', address, status: 'active' }
      },
    })
    route(server, {
      method: 'POST',
      url: `${oneOperator}/run`,
      scope: 'runs:write',
      summary: 'Run it once over a payload, through the same gate as ever',
      description: 'Carried out as far as nobody has to approve anything before this answers.',
      query: tenantQuery,
      bodyOptional: true,
      body: bodyOf({ payload: { type: 'object' } }, []),
      response: ref('AskedRun'),
      handler: async (call) =>
        askedRunJson(
          await runOperatorNow(call.engine, call.params.id!, queried(call, 'tenant'), payloadOf(call.body), call.once),
        ),
    })
    route(server, {
      method: 'POST',
      url: `${oneOperator}/simulate`,
      scope: 'runs:write',
      summary: 'A run with its writes stubbed: what would be sent, and the receipts as they would stand',
      description:
        'Over a payload or an event of the log its reads are real, and so is the question to its model, which costs what it costs. ' +
        'Over a recorded run both are what that run saw and was answered: nothing leaves. Nothing is written, reserved or sent; ' +
        'the receipts are marked `simulated`, and no ledger holds them.',
      query: tenantQuery,
      bodyOptional: true,
      body: { ...bodyOf({ payload: { type: 'object' }, event: idText, run: idText }, []), maxProperties: 1 },
      response: ref('Simulation'),
      handler: async (call) =>
        simulationJson(
          await simulateOperator(call.engine, call.params.id!, queried(call, 'tenant'), fromBody(call.body)),
        ),
    })
  },
}

const oneOperator = '/v1/operators/{id}'

const paused: Schema = {
  type: 'object',
  required: ['object', 'address', 'status'],
  properties: { object: { const: 'operator' }, address: { type: 'string' }, status: { enum: ['active', 'paused'] } },
}

const idText: Schema = { type: 'string', minLength: 1, maxLength: 100 }

function fromBody(body: JsonObject): SimulatedFrom {
  const { event, run } = body
  if (typeof event === 'string') return { event }
  return typeof run === 'string' ? { run } : { payload: payloadOf(body) }
}

function payloadOf(body: JsonObject): JsonObject {
  return (body.payload ?? {}) as JsonObject
}

function same<T>(item: T): T {
  return item
}
