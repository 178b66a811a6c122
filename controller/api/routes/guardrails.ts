import type { JsonObject } from '../../domain/json.ts'
import { listGuardrails, listGuardrailVersions, showGuardrail } from '../../operations/guardrails.ts'
import { guardrailJson } from '../../operations/objects.ts'
import { can, evaluateLines } from '../../operations/policy.ts'
import { listOf, pageOf, pageOfAll, pageQuery } from '../cursor.ts'
import { bodyOf, domainMeant, queried, tenantQuery, wholeList } from '../parameters.ts'
import { type RouteGroup, route, type Schema } from '../route.ts'
import { ref } from '../schemas.ts'

/** The rules that bind a tenant, and what the gate would say. */
export const guardrailRoutes: RouteGroup = {
  name: 'guardrails',
  register(server) {
    route(server, {
      method: 'GET',
      url: '/v1/guardrails',
      scope: 'config:read',
      summary: 'Policies in force, by address: the own ones, and those of the platform that apply',
      query: { ...pageQuery, ...tenantQuery },
      response: listOf(ref('Guardrail')),
      async handler(call) {
        const of = queried(call, 'tenant')
        return pageOfAll(call, of, await listGuardrails(call.engine, of), ({ address }) => address, guardrailJson)
      },
    })
    route(server, {
      method: 'GET',
      url: '/v1/guardrails/{id}',
      scope: 'config:read',
      summary: 'One policy in force',
      response: ref('Guardrail'),
      handler: async ({ engine, params }) => guardrailJson(await showGuardrail(engine, params.id!)),
    })
    route(server, {
      method: 'POST',
      url: '/v1/guardrails/evaluate',
      scope: 'config:read',
      summary: 'What the gate says of some actions right now; nothing is reserved and nothing done',
      query: tenantQuery,
      bodySizeMax: 4 * 1024 * 1024,
      body: bodyOf({ actions: { type: 'array', minItems: 1, maxItems: 1000, items: action } }, ['actions']),
      response: listOf(ref('Verdict')),
      async handler(call) {
        const verdicts = await evaluateLines(call.engine, await domainMeant(call), call.body.actions as JsonObject[])
        return wholeList(verdicts.map((verdict) => ({ object: 'verdict', ...verdict })))
      },
    })
    route(server, {
      method: 'POST',
      url: '/v1/guardrails/can',
      scope: 'config:read',
      summary: 'May a proposer do something with these arguments, and what would have to differ',
      description: 'What the executor would compute of the arguments is computed: connection, entity, value, tier.',
      query: tenantQuery,
      body: bodyOf({ proposer: name, capability: name, args: { type: 'object' } }, ['proposer', 'capability']),
      response: ref('Verdict'),
      async handler(call) {
        const { body, engine } = call
        const args = (body.args ?? {}) as JsonObject
        const tenant = await domainMeant(call)
        const { action: judged, verdict } = await can(
          engine,
          tenant,
          String(body.proposer),
          String(body.capability),
          args,
        )
        return { object: 'verdict', action: judged, ...verdict }
      },
    })
    route(server, {
      method: 'GET',
      url: '/v1/guardrails/{id}/versions',
      scope: 'config:read',
      summary: 'Every version of a policy in force that was applied, newest first',
      query: pageQuery,
      response: listOf(ref('GuardrailVersion')),
      handler: (call) => {
        const { id } = call.params
        return pageOf(call, id!, {
          read: (before, count) =>
            listGuardrailVersions(call.engine, id!, before === null ? null : Number(before), count),
          positionOf: ({ generation }) => String(generation),
          show: (version) => ({ object: 'guardrail_version', ...version }),
        })
      },
    })
  },
}

const name: Schema = { type: 'string', minLength: 1, maxLength: 300 }
const proposers = ['operator', 'person', 'schedule', 'reconciler', 'builtin'] as const
const maybeText: Schema = { type: ['string', 'null'], maxLength: 1000 }

/** The gate's own view of an action. */
const action: Schema = {
  type: 'object',
  additionalProperties: false,
  required: ['capability'],
  properties: {
    capability: name,
    connection: { type: 'string', maxLength: 300 },
    entity: { type: 'string', maxLength: 1000 },
    value: {
      anyOf: [
        { type: 'null' },
        { type: 'number' },
        {
          type: 'object',
          additionalProperties: false,
          required: ['amount'],
          properties: {
            amount: { type: 'string', pattern: '^-?[0-9]{1,30}(?:\\.[0-9]{1,30})?$' },
            currency: { type: ['string', 'null'], pattern: '^[A-Z]{3}$' },
          },
        },
      ],
    },
    tier: { type: 'integer', minimum: 0, maximum: 3 },
    args: {},
    proposer: {
      type: 'object',
      additionalProperties: false,
      required: ['kind', 'name'],
      properties: { kind: { type: 'string', enum: proposers }, name, model: maybeText },
    },
    change: { type: 'string', enum: ['none', 'widens', 'narrows', 'behaviour', 'neutral'] },
    event: { type: ['object', 'null'] },
  },
}
