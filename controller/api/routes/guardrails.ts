import type { Slug } from '../../domain/ids.ts'
import type { Json, JsonObject } from '../../domain/json.ts'
import type { GateAction } from '../../domain/verdict.ts'
import { evaluateActions, listGuardrails, showGuardrail } from '../../operations/guardrails.ts'
import { guardrailJson } from '../../operations/objects.ts'
import { listOf, pageOfAll, pageQuery } from '../cursor.ts'
import { ownSlug } from '../planning.ts'
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
      query: { ...pageQuery, tenant },
      response: listOf(ref('Guardrail')),
      async handler(call) {
        const of = call.query.tenant === undefined ? null : String(call.query.tenant)
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
      body: {
        type: 'object',
        additionalProperties: false,
        required: ['actions'],
        properties: { tenant, actions: { type: 'array', minItems: 1, maxItems: 100, items: action } },
      },
      response: listOf(ref('Verdict')),
      async handler({ engine, body }) {
        const slug = (body.tenant ?? (await ownSlug(engine)) ?? '_platform') as Slug
        const asked = (body.actions as JsonObject[]).map((each) => ({
          action: actionOf(each),
          event: (each.event ?? null) as JsonObject | null,
        }))
        const verdicts = await evaluateActions(engine, slug, asked)
        const data = verdicts.map((verdict) => ({ object: 'verdict', ...verdict }))
        return { object: 'list', data, has_more: false, next_cursor: null }
      },
    })
  },
}

const tenant: Schema = { type: 'string', minLength: 1, maxLength: 63, description: 'slug of one tenant' }
const name: Schema = { type: 'string', minLength: 1, maxLength: 300 }
const proposers = ['operator', 'person', 'schedule', 'reconciler', 'builtin'] as const
const changes = ['none', 'widens', 'narrows', 'behaviour', 'neutral'] as const

const action: Schema = {
  type: 'object',
  additionalProperties: false,
  required: ['capability'],
  properties: {
    capability: name,
    connection: name,
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
      properties: { kind: { type: 'string', enum: proposers }, name },
    },
    change: { type: 'string', enum: changes },
    event: { type: ['object', 'null'] },
  },
}

/** The gate's view of an action; what is left out is the least that can be said. */
function actionOf(given: JsonObject): GateAction {
  const proposer = (given.proposer ?? { kind: 'person', name: 'api' }) as unknown as GateAction['proposer']
  return {
    capability: String(given.capability),
    connection: String(given.connection ?? 'fibric'),
    entity: String(given.entity ?? ''),
    value: amountOf(given.value ?? null),
    tier: (given.tier ?? 2) as GateAction['tier'],
    args: given.args ?? {},
    proposer,
    operator: proposer.kind === 'operator' ? proposer.name : null,
    change: (given.change ?? 'none') as GateAction['change'],
  }
}

function amountOf(value: Json): GateAction['value'] {
  if (value === null) return null
  if (typeof value === 'number') return { amount: String(value), currency: null }
  const { amount, currency } = value as JsonObject
  return { amount: String(amount), currency: (currency ?? null) as string | null }
}
