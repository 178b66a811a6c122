import type { ExpressionNames } from '../domain/expression.ts'
import { isJsonObject, type Json, type JsonObject } from '../domain/json.ts'
import type { OperatorInForce } from './operators.ts'
import type { Occasion } from './run.ts'

/** What a run saw, kept by digest: with it the run can be gone through again, and nobody has to be asked. */
export interface Witness {
  /** Null where the event log has it, or where there was none. */
  readonly event: JsonObject | null
  readonly now: string
  readonly sensed: { readonly [name: string]: Json }
}

/** More than this is not kept: what a model may be told at most. */
const witnessBytesMax = 262_144

/**
 * The witness of a run, where its event alone does not say what it saw: reads come out otherwise a moment later, what a
 * person gives is in no log, and a model was told the time. Null where there is nothing to keep, or too much.
 */
export function witnessOf(operator: OperatorInForce, occasion: Occasion, names: ExpressionNames): Buffer | null {
  const isAsked = occasion.deliveryId.startsWith(askPrefix)
  if (operator.sense.length === 0 && !isAsked && operator.reason.model === undefined) return null
  const { event, now, ...sensed } = names
  const witness = { event: isAsked ? event : null, now: (now as Date).toISOString(), sensed }
  // Escapes what canonical JSON cannot carry: half a surrogate pair that a provider answered.
  const bytes = Buffer.from(JSON.stringify(witness))
  return bytes.length <= witnessBytesMax ? bytes : null
}

export function readWitness(bytes: Buffer): Witness {
  const { event, now, sensed } = JSON.parse(bytes.toString('utf8')) as JsonObject
  return {
    event: isJsonObject(event) ? event : null,
    now: String(now),
    sensed: isJsonObject(sensed) ? sensed : {},
  }
}

/** Of the delivery of what a person asked for. */
export const askPrefix = 'ask:'
