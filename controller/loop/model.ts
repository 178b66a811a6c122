import type { ExpressionNames } from '../domain/expression.ts'
import { isJsonObject, type JsonObject } from '../domain/json.ts'
import type { Proposal } from '../executor/effects/propose.ts'
import type { OperatorInForce } from './operators.ts'

/** What a model's answer came to, and what is kept of it by digest. */
export interface ModelAnswer {
  readonly proposals: readonly Proposal[]
  readonly model: string
  readonly reasoning: JsonObject
}

/** The model step of a run: a function of its input, without network, credentials or tools of its own. */
export interface ModelStep {
  reason(operator: OperatorInForce, names: ExpressionNames, runId: string, signal: AbortSignal): Promise<ModelAnswer>
}

/** The model was asked, or could not be, and the run ends: asking again would give the same. */
export class ModelRefused extends Error {
  readonly reasoning: JsonObject | null

  constructor(message: string, reasoning: JsonObject | null) {
    super(message)
    this.reasoning = reasoning
  }
}

export function asks(reason: JsonObject): boolean {
  return isJsonObject(reason.model)
}
