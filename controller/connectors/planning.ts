import { durationMs } from '../../schemas/index.ts'
import { formatDecimal, parseDecimal } from '../domain/decimal.ts'
import { digestBytes, digestJson } from '../domain/digest.ts'
import type { Json, JsonObject } from '../domain/json.ts'
import type { Bound, PlannedEffect } from '../executor/effects/connector.ts'
import { baseUrlOf, type Footing } from './binding.ts'
import { tokenTarget } from './egress/broker.ts'
import { plannedCall } from './mcp/planned-call.ts'
import { argumentsFor, objectOf, RenderError, type RenderedRequest, render, renderRequest } from './request.ts'
import { misfitOf } from './tool-schemas.ts'

/** What the executor has to know of an effect before it may act. Throws a `RenderError`. */
export function planEffect(bound: Bound, footing: Footing, args: Json): PlannedEffect {
  requireInput(bound.tool, args)
  const names = { config: bound.config, args: argumentsFor(bound.tool, args) }
  return {
    entityKey: entityKeyOf(bound, names),
    value: effectValue(bound.tool, names),
    tier: tierOf(bound.tool),
    ...(footing.connector.runtime === 'mcp' ? planCall(bound, footing, args) : planRequest(bound, footing, args)),
  }
}

function planRequest(bound: Bound, footing: Footing, args: Json): Pick<PlannedEffect, 'request' | 'requestDigest'> {
  const { method, url, headers, body } = renderTool(bound, footing, args)
  const target = tokenTarget(url)
  if (target === null) throw new RenderError('the request has no URL that can be read')
  const bodyDigest = digestBytes(body ?? '')
  return {
    requestDigest: digestJson({ method, target, headers, body: bodyDigest }),
    request: { method, target, bodyDigest },
  }
}

function planCall(bound: Bound, footing: Footing, args: Json): Pick<PlannedEffect, 'request' | 'requestDigest'> {
  const request = plannedCall(bound, footing, args)
  return { request, requestDigest: digestJson({ ...request }) }
}

/** Refuses arguments that do not fit the tool's input schema. */
export function requireInput({ input }: JsonObject, args: Json): void {
  const misfit = misfitOf(input, args)
  if (misfit !== null) throw new RenderError(`args: ${misfit}`)
}

export function renderTool(bound: Bound, footing: Footing, args: Json): RenderedRequest {
  const names = { config: bound.config, args: argumentsFor(bound.tool, args) }
  return renderRequest(objectOf(bound.tool.http), baseUrlOf(footing), names)
}

export function tierOf(tool: JsonObject): 0 | 1 | 2 | 3 {
  const tier = tool.tier ?? (tool.effect === 'read' || tool.sideEffecting === false ? 0 : 2)
  return Number(tier) as 0 | 1 | 2 | 3
}

const timeoutMsDefault = 30_000

/** How long the tool waits for an answer. */
export function timeoutMsOf(tool: JsonObject): number {
  const { timeout } = objectOf(tool.http ?? tool.mcp)
  return typeof timeout === 'string' ? (durationMs(timeout) ?? timeoutMsDefault) : timeoutMsDefault
}

interface Names {
  readonly [name: string]: JsonObject
}

function entityKeyOf(bound: Bound, names: Names): string {
  const { entityKey } = bound.tool
  if (entityKey !== undefined) return String(render(entityKey, names, 'key', 'entityKey'))
  return `${bound.connection.slice(bound.connection.lastIndexOf('/') + 1)}:${bound.toolName}`
}

function effectValue({ value }: JsonObject, names: Names): PlannedEffect['value'] {
  if (value === undefined) return null
  const { amount, currency } = typeof value === 'string' ? { amount: value, currency: null } : objectOf(value)
  const given = render(amount ?? null, names, 'text', 'value.amount')
  // An optional amount that was not given: there is nothing to compare, and a ceiling fails.
  if (given === null) return null
  const decimal = parseDecimal(String(given))
  if (decimal === null) throw new RenderError('`value.amount` is no decimal number')
  const named = currency === null || currency === undefined ? null : render(currency, names, 'text', 'value.currency')
  if (named !== null && typeof named !== 'string') throw new RenderError('`value.currency` is no text')
  return { amount: formatDecimal(decimal), currency: named }
}
