import type { Json } from '../domain/json.ts'
import type { AttemptOptions, Bound, Rehearsal, RehearsedRequest } from '../executor/effects/connector.ts'
import { withEffectHeaders } from './attempt.ts'
import { baseUrlOf, egressOf, type Footing } from './binding.ts'
import { needsToken, whyRefused } from './egress/broker.ts'
import { settleUrl } from './egress/destination.ts'
import { callMessage, callParams, plannedCall } from './mcp/planned-call.ts'
import { serverOf } from './mcp/server.ts'
import { renderTool } from './planning.ts'
import { RenderError } from './request.ts'

/**
 * Builds what an attempt would send, without its credential, and sends nothing: it asks for no address, no token of a
 * provider and no session. What keeps it in is what keeps every write in that has no intent.
 */
export function rehearseEffect(
  footing: Footing,
  bound: Bound,
  args: Json,
  options: Pick<AttemptOptions, 'idempotencyKey' | 'ifMatch'>,
): Rehearsal {
  try {
    return footing.connector.runtime === 'mcp'
      ? rehearseCall(footing, bound, args)
      : rehearseRequest(footing, bound, args, options)
  } catch (error) {
    if (error instanceof RenderError) return { kind: 'refused', reason: error.message }
    throw error
  }
}

function rehearseRequest(
  footing: Footing,
  bound: Bound,
  args: Json,
  options: Pick<AttemptOptions, 'idempotencyKey' | 'ifMatch'>,
): Rehearsal {
  const { method, url, headers, body } = withEffectHeaders(renderTool(bound, footing, args), bound.tool, options)
  const request = { method, url, headers, body: body?.length ? (JSON.parse(body.toString('utf8')) as Json) : null }
  return keep(request, egressOf(footing, baseUrlOf(footing)), body)
}

function rehearseCall(footing: Footing, bound: Bound, args: Json): Rehearsal {
  const { method, target } = plannedCall(bound, footing, args)
  const params = callParams(bound, args)
  const server = serverOf(footing)
  if (server.kind === 'program') {
    const request = { method, url: target, headers: {}, body: { method: 'tools/call', params } }
    return { kind: 'kept', request, why: needsToken }
  }
  const message = callMessage(params)
  const request = { method, url: server.url, headers: {}, body: message }
  return keep(request, egressOf(footing, server.url), Buffer.from(JSON.stringify(message)))
}

function keep(request: RehearsedRequest, hosts: readonly string[], body: Buffer | null): Rehearsal {
  const { method, url } = request
  const destination = settleUrl(url, hosts)
  if ('kind' in destination) return destination
  const why = whyRefused({ class: 'effect', method, url, body, token: null })
  return why === needsToken ? { kind: 'kept', request, why } : { kind: 'refused', reason: String(why) }
}
