import { canonicalBytes } from '../../domain/canonical-json.ts'
import { digestBytes } from '../../domain/digest.ts'
import type { Json, JsonObject } from '../../domain/json.ts'
import type { Bound, PlannedRequest } from '../../executor/effects/connector.ts'
import type { Footing } from '../binding.ts'
import { tokenTarget } from '../egress/broker.ts'
import { argumentsFor, objectOf, RenderError, renderJson } from '../request.ts'
import { serverOf } from './server.ts'

/** The id of a proposer's call over HTTP: each has a session of its own. */
export const callId = 'call'

/** The `params` of `tools/call` that a tool stands for. Throws a `RenderError`. */
export function callParams({ tool, toolName, config }: Bound, args: Json): JsonObject {
  const { tool: name, args: template } = objectOf(tool.mcp)
  const names = { config, args: argumentsFor(tool, args) }
  const rendered = template === undefined ? objectOf(args) : renderJson(template, names, 'mcp.args')
  // An optional argument that was not given is left out: servers take null for a value.
  const given = Object.entries(objectOf(rendered)).filter(([, value]) => value !== null)
  return { name: typeof name === 'string' ? name : toolName, arguments: Object.fromEntries(given) }
}

/** The one request that the token of an intent lets out, over HTTP as over the streams of a program. */
export function plannedCall(bound: Bound, footing: Footing, args: Json): PlannedRequest {
  const params = callParams(bound, args)
  const server = serverOf(footing)
  if (server.kind === 'program') {
    const bodyDigest = digestBytes(canonicalBytes({ method: 'tools/call', params }))
    return { method: 'CALL', target: `${bound.connection}/${String(params.name)}`, bodyDigest }
  }
  const target = tokenTarget(server.url)
  if (target === null) throw new RenderError('`mcp.url` does not make a URL')
  return { method: 'POST', target, bodyDigest: digestBytes(canonicalBytes(callMessage(params))) }
}

/** A call as it stands in the body of a request. */
export function callMessage(params: JsonObject): JsonObject {
  return { jsonrpc: '2.0', id: callId, method: 'tools/call', params }
}
