import { isJsonObject, type Json, type JsonObject } from '../../controller/domain/json.ts'
import type { ExpressionScope } from '../field-schema.ts'

/** JSON Schema by name; null where nothing is known about a name's value. */
export type ScopeNames = { readonly [name: string]: Json }

type LocalScope = Exclude<ExpressionScope, 'operator.sense' | 'operator.rules'>

/** The names an expression may use, typed from the schemas of its own document (resources.md, section 2). */
export function namesInScope(scope: LocalScope, spec: JsonObject, pointer: string): ScopeNames {
  let known = scopesBySpec.get(spec)
  if (known === undefined) {
    known = new Map()
    scopesBySpec.set(spec, known)
  }
  // Fields of one tool or event share their names, and with the same object the checker shares its environment.
  const owner = /^\/(?:tools|events)\/[^/]+/.exec(pointer)?.[0] ?? ''
  const resultTool = scope === 'connector.result' ? (/^\/tools\/[^/]+\/(ifMatch|query)/.exec(pointer)?.[1] ?? '') : ''
  const key = `${scope}${owner}#${resultTool}`
  const names = known.get(key) ?? compute(scope, spec, owner, resultTool)
  known.set(key, names)
  return names
}

const scopesBySpec = new WeakMap<JsonObject, Map<string, ScopeNames>>()

function compute(scope: LocalScope, spec: JsonObject, owner: string, resultTool: string): ScopeNames {
  const config = spec.config ?? null
  switch (scope) {
    case 'connector.http':
      return { config }
    case 'connector.tool':
      return { config, args: toolAt(spec, owner).input ?? null }
    case 'connector.result': {
      const tool = toolAt(spec, owner)
      const other = resultTool === '' ? null : tool[resultTool]
      const answered = isJsonObject(other) ? toolNamed(spec, other.tool) : tool
      return { config, args: tool.input ?? null, result: answered.output ?? null, response: null }
    }
    case 'connector.response':
      return { config, args: toolAt(spec, owner).input ?? null, response: null, result: null }
    case 'connector.webhook':
      // A key and a payload belong to both kinds of event, and are made of what that kind brings.
      return isPoll(spec, owner) ? pollNames(config) : { config, ingest: ingestSchema, request: null }
    case 'connector.poll':
      return pollNames(config)
    case 'policy':
      return policyNames
    case 'schedule':
      return { now: null }
    case 'skill':
      return { inputs: null }
    case 'template':
      return { param: spec.parameters ?? null }
    default:
      return unreachable(scope)
  }
}

function isPoll(spec: JsonObject, owner: string): boolean {
  const name = owner.slice('/events/'.length).replaceAll('~1', '/').replaceAll('~0', '~')
  const event = isJsonObject(spec.events) ? spec.events[name] : undefined
  return isJsonObject(event) && event.kind === 'poll'
}

function pollNames(config: Json): ScopeNames {
  return { config, ingest: ingestSchema, response: null, item: null, cursor: null }
}

const ingestSchema = { type: 'object', properties: { url: { type: 'string' } } }

/** The gate's own view of an action (governed-execution.md, section 4). */
const policyNames: ScopeNames = {
  action: {
    type: 'object',
    properties: {
      capability: { type: 'string' },
      connection: {},
      entity: {},
      value: {},
      tier: { type: 'integer' },
      args: {},
      proposer: {
        type: 'object',
        // Null where no model proposed; a rating is null for a model without one.
        properties: { kind: { type: 'string' }, name: { type: 'string' }, model: {}, rating: {} },
      },
      change: {},
    },
  },
  event: null,
  tenant: null,
  now: null,
}

function toolAt(spec: JsonObject, owner: string): JsonObject {
  const name = owner.slice('/tools/'.length).replaceAll('~1', '/').replaceAll('~0', '~')
  return toolNamed(spec, name)
}

function toolNamed(spec: JsonObject, name: Json | undefined): JsonObject {
  const tool = isJsonObject(spec.tools) && typeof name === 'string' ? spec.tools[name] : undefined
  return isJsonObject(tool) ? tool : {}
}

function unreachable(scope: never): never {
  throw new Error(`no names are known for the scope ${String(scope)}`)
}
