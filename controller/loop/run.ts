import { randomBytes } from 'node:crypto'
import type { Envelope } from '../domain/envelope.ts'
import { ExpressionError, type ExpressionNames } from '../domain/expression.ts'
import { mintId, type PlanId } from '../domain/ids.ts'
import type { JsonObject } from '../domain/json.ts'
import type { EffectConnector } from '../executor/effects/connector.ts'
import { draftEffects, type PlanDraft, type Proposal } from '../executor/effects/propose.ts'
import type { DraftedPlan } from '../executor/effects/record.ts'
import { asks, ModelRefused, type ModelStep } from './model.ts'
import type { OperatorInForce } from './operators.ts'
import { reasonByRules } from './rules.ts'
import { SenseRefused, sense } from './sense.ts'

/** What starts a run: an event, a tick of its schedule, or a person who asks. */
export interface Occasion {
  /** Names this delivery to this operator: the same one brought again is the same run. */
  readonly deliveryId: string
  readonly event: Envelope | null
  /** The last part of default idempotency keys: the ingest key, else the event id, else the tick or the run. */
  readonly key: string
  readonly correlationId: string
  /** How many runs led to the event. */
  readonly depth: number
}

/** What a run came to. It is nothing before it is recorded. */
export type RunResult =
  | { readonly kind: 'proposed'; readonly plan: DraftedPlan; readonly reasoning: JsonObject | null }
  | { readonly kind: 'nothing'; readonly reasoning: JsonObject | null }
  | { readonly kind: 'rejected'; readonly cause: string; readonly reasoning: JsonObject | null }

export interface RunParts {
  readonly connector: EffectConnector
  /** Null where no model can be asked. */
  readonly model: ModelStep | null
  readonly clock: () => Date
  readonly signal: AbortSignal
}

/** Events of a run carry its depth and one; a loop that feeds itself ends here. */
export const depthMax = 8

/** One run: sense → reason → propose. Throws only what is worth trying again. */
export async function runOperator(
  parts: RunParts,
  operator: OperatorInForce,
  occasion: Occasion,
  runId: string,
): Promise<RunResult> {
  if (occasion.depth >= depthMax) {
    return { kind: 'rejected', cause: `LOOP: ${occasion.depth} runs led to this event`, reasoning: null }
  }
  try {
    const now = parts.clock()
    const names = await sense(parts.connector, operator, namesOf(occasion, now), parts.signal)
    const { proposals, model, reasoning } = await reason(parts, operator, names, runId)
    if (proposals.length === 0) return { kind: 'nothing', reasoning }
    const draft = draftOf(operator, occasion, runId, proposals, model, now)
    return { kind: 'proposed', plan: { draft, effects: await draftEffects(parts.connector, draft, now) }, reasoning }
  } catch (error) {
    if (error instanceof ModelRefused) return { kind: 'rejected', cause: error.message, reasoning: error.reasoning }
    if (!(error instanceof ExpressionError || error instanceof SenseRefused)) throw error
    return { kind: 'rejected', cause: error.message, reasoning: null }
  }
}

interface Reasoned {
  readonly proposals: readonly Proposal[]
  readonly model: string | null
  readonly reasoning: JsonObject | null
}

async function reason(
  parts: RunParts,
  operator: OperatorInForce,
  names: ExpressionNames,
  runId: string,
): Promise<Reasoned> {
  const { rules } = operator.reason
  if (Array.isArray(rules)) return { proposals: reasonByRules(rules, names), model: null, reasoning: null }
  if (!asks(operator.reason)) throw new SenseRefused('the operator says neither rules nor a model')
  if (parts.model === null) throw new SenseRefused('no model can be asked here')
  return parts.model.reason(operator, names, runId, parts.signal)
}

export function namesOf({ event }: Occasion, now: Date): ExpressionNames {
  return { event: event as unknown as JsonObject | null, now }
}

function draftOf(
  operator: OperatorInForce,
  { event, key, correlationId }: Occasion,
  runId: string,
  proposals: readonly Proposal[],
  model: string | null,
  now: Date,
): PlanDraft {
  return {
    domain: operator.domain,
    planId: mintId('plan', now.getTime(), randomBytes(10)) as PlanId,
    runId,
    proposer: { kind: 'operator', name: operator.name },
    operator: { name: operator.name, id: operator.id },
    correlationId,
    eventId: event?.event_id ?? null,
    eventKey: key,
    event: event as unknown as JsonObject | null,
    tenant: operator.tenant,
    source: { operator: operator.address, operator_digest: operator.digest, commit: operator.commit, run_id: runId },
    model,
    compensates: null,
    capabilities: operator.capabilities,
    proposals,
  }
}
