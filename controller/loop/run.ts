import { randomBytes } from 'node:crypto'
import type { Envelope } from '../domain/envelope.ts'
import { ExpressionError, type ExpressionNames } from '../domain/expression.ts'
import { mintId, type PlanId } from '../domain/ids.ts'
import type { JsonObject } from '../domain/json.ts'
import type { EffectConnector } from '../executor/effects/connector.ts'
import { draftEffects, type PlanDraft, type Proposal } from '../executor/effects/propose.ts'
import type { DraftedPlan } from '../executor/effects/record.ts'
import { type ModelEvidence, type Models, type Reasoned, reasonByModel } from './model.ts'
import type { OperatorInForce } from './operators.ts'
import { reasonByRules } from './rules.ts'
import { recall, SenseRefused, sense } from './sense.ts'
import { type Witness, witnessOf } from './witness.ts'

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
export type RunResult = (
  | { readonly kind: 'proposed'; readonly plan: DraftedPlan }
  | { readonly kind: 'nothing' }
  | { readonly kind: 'rejected'; readonly cause: string; readonly evidence?: ModelEvidence }
) & { readonly witness?: Buffer | null }

export interface RunParts {
  readonly connector: EffectConnector
  /** Absent where nobody runs operators that ask a model. */
  readonly models?: Models
  readonly clock: () => Date
  readonly signal: AbortSignal
  /** What an earlier run saw, in place of the clock and of every read. */
  readonly witness?: Pick<Witness, 'now' | 'sensed'>
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
    return { kind: 'rejected', cause: `LOOP: ${occasion.depth} runs led to this event` }
  }
  return orRejected(async () => {
    const now = parts.witness ? new Date(parts.witness.now) : parts.clock()
    const names = await namesFor(parts, operator, namesOf(occasion, now))
    const result = await orRejected(() => proposeFrom(parts, operator, occasion, runId, names, now))
    return { ...result, witness: witnessOf(operator, occasion, names) }
  })
}

/** What is wrong with an operator's own words ends its run; everything else is worth trying again. */
async function orRejected(work: () => Promise<RunResult>): Promise<RunResult> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof ExpressionError || error instanceof SenseRefused)) throw error
    return { kind: 'rejected', cause: error.message }
  }
}

function namesFor(parts: RunParts, operator: OperatorInForce, names: ExpressionNames): Promise<ExpressionNames> {
  return parts.witness
    ? Promise.resolve(recall(operator, names, parts.witness.sensed))
    : sense(parts.connector, operator, names, parts.signal)
}

async function proposeFrom(
  parts: RunParts,
  operator: OperatorInForce,
  occasion: Occasion,
  runId: string,
  names: ExpressionNames,
  now: Date,
): Promise<RunResult> {
  const reasoned = await reason(parts, operator, occasion, names)
  if (reasoned.kind === 'rejected') {
    const { cause, evidence } = reasoned
    return { kind: 'rejected', cause, ...(evidence === null ? {} : { evidence }) }
  }
  if (reasoned.proposals.length === 0) return { kind: 'nothing' }
  const draft = draftOf(operator, occasion, runId, reasoned, now)
  return { kind: 'proposed', plan: { draft, effects: await draftEffects(parts.connector, draft, now) } }
}

interface ReasonedPlan {
  readonly kind: 'plan'
  readonly proposals: readonly Proposal[]
  /** What the model says of why: a text of its own making, bounded. */
  readonly reasoning: string | null
  /** Null: rules reasoned. */
  readonly evidence: ModelEvidence | null
}

async function reason(
  { connector, models, signal }: RunParts,
  operator: OperatorInForce,
  occasion: Occasion,
  names: ExpressionNames,
): Promise<ReasonedPlan | (Reasoned & { readonly kind: 'rejected' })> {
  const { rules } = operator.reason
  if (Array.isArray(rules))
    return { kind: 'plan', proposals: reasonByRules(rules, names), reasoning: null, evidence: null }
  if (!models) throw new SenseRefused('this process has no way to a model')
  return reasonByModel(models, connector, operator, names, occasion.deliveryId, signal)
}

export function namesOf({ event }: Occasion, now: Date): ExpressionNames {
  return { event: event as unknown as JsonObject | null, now }
}

function draftOf(
  operator: OperatorInForce,
  { event, key, correlationId }: Occasion,
  runId: string,
  { proposals, reasoning, evidence }: ReasonedPlan,
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
    source: {
      operator: operator.address,
      operator_digest: operator.digest,
      commit: operator.commit,
      run_id: runId,
      ...(evidence === null ? {} : { model: evidence as unknown as JsonObject, reasoning }),
    },
    model: evidence?.model.address ?? null,
    modelRating: evidence?.model.rating ?? null,
    compensates: null,
    capabilities: operator.capabilities,
    proposals,
  }
}
