import { randomBytes } from 'node:crypto'
import type { Envelope } from '../domain/envelope.ts'
import { FibricError } from '../domain/errors.ts'
import { type Digest, mintId, type TenantId } from '../domain/ids.ts'
import type { JsonObject } from '../domain/json.ts'
import type { Engine } from '../engine.ts'
import { draftEffects } from '../executor/effects/propose.ts'
import type { DraftedPlan } from '../executor/effects/record.ts'
import { type SimulatedAction, type SimulationParts, simulateEffects } from '../executor/effects/simulate.ts'
import type { OperatorInForce } from '../loop/operators.ts'
import { type Occasion, type RunParts, runOperator } from '../loop/run.ts'
import { askPrefix, readWitness, type Witness } from '../loop/witness.ts'
import { RecordedRouter } from '../seams/model-router/recorded.ts'
import { readEvent } from '../store/events.ts'
import { readEvidence } from '../store/evidence.ts'
import { type RunRow, readRuns } from '../store/runs.ts'
import { requireScope } from '../tenancy/actor.ts'
import { connectorsOf } from './connections.ts'
import { modelsOf } from './model-way.ts'
import { askedFor, operatorNamed } from './operators.ts'
import { recordedPlan } from './recorded-plan.ts'

/** What is gone through: a payload, an event of the log, or a run as it was recorded. */
export type SimulatedFrom = { readonly payload: JsonObject } | { readonly event: string } | { readonly run: string }

export interface Simulation {
  /** `simulated`, `nothing`, or `rejected` with a cause. */
  readonly outcome: string
  readonly cause: string | null
  readonly actions: readonly SimulatedAction[]
}

/**
 * A run of an operator with its writes stubbed. Over a payload or an event its reads are real, and so is the question to its
 * model; over a recorded run both are what that run saw and was answered, and nobody is asked anything.
 */
export async function simulateOperator(
  engine: Engine,
  name: string,
  tenant: string | null,
  from: SimulatedFrom,
): Promise<Simulation> {
  requireScope(engine.actor, 'runs:write')
  const operator = await operatorNamed(engine, name, tenant)
  const runId = mintId('run', engine.clock().getTime(), randomBytes(10))
  const past = 'run' in from ? await pastRun(engine, operator, from.run) : null
  const occasion = 'run' in from ? past!.occasion : await presentOccasion(engine, operator, runId, from)
  const parts: RunParts = {
    connector: connectorsOf(engine),
    models: past ? { ...modelsOf(engine), router: new RecordedRouter(engine.database) } : modelsOf(engine),
    clock: engine.clock,
    signal: new AbortController().signal,
    ...(past ? { witness: past.witness } : {}),
  }
  const result = await runOperator(parts, operator, occasion, runId)
  if (result.kind !== 'proposed')
    return { outcome: result.kind, cause: 'cause' in result ? result.cause : null, actions: [] }
  const led = past?.run.plan_id ?? null
  const eventId = occasion.event?.event_id ?? null
  return simulated(engine, result.plan, {
    reads: past === null,
    isAgain: (holder) => holder.plan_id === led || (eventId !== null && holder.event_id === eventId),
  })
}

/** The actions of a recorded plan, gone through again as things stand: nobody is asked anything. */
export async function simulatePlan(engine: Engine, id: string): Promise<Simulation> {
  requireScope(engine.actor, 'plans:read')
  const { draft, keys, planId } = await recordedPlan(engine, id)
  const effects = await draftEffects(connectorsOf(engine), draft, engine.clock())
  // Under the keys they had: the event's own key is not in the plan.
  const again = effects.map((each, index) =>
    each.receipt === null ? { ...each, idempotencyKey: keys[index] ?? each.idempotencyKey } : each,
  )
  const isAgain: SimulationParts['isAgain'] = (holder) => holder.plan_id === planId
  return simulated(engine, { draft, effects: again }, { reads: false, isAgain })
}

async function simulated(
  engine: Engine,
  plan: DraftedPlan,
  how: Pick<SimulationParts, 'reads' | 'isAgain'>,
): Promise<Simulation> {
  const { database, clock } = engine
  const actions = await simulateEffects({ database, clock, connector: connectorsOf(engine), ...how }, plan)
  return { outcome: 'simulated', cause: null, actions }
}

async function presentOccasion(
  engine: Engine,
  operator: OperatorInForce,
  runId: string,
  from: Exclude<SimulatedFrom, { readonly run: string }>,
): Promise<Occasion> {
  if ('payload' in from) return askedFor(engine, operator, runId, from.payload)
  const { event: eventId } = from
  const { tenant_id: tenantId } = operator.domain
  const stored = await eventOf(engine, tenantId, eventId)
  if (stored === null) {
    throw new FibricError('NOT_FOUND', `there is no event \`${eventId}\` in the domain of \`${operator.address}\``, {
      hint: `see them with: fibric events list --tenant ${operator.domain.slug}`,
    })
  }
  const { envelope: event, key, depth } = stored
  // A delivery of its own: a model that was asked about this event before is asked again.
  return { deliveryId: `simulate:${runId}`, event, key: key ?? eventId, correlationId: event.correlation_id, depth }
}

interface PastRun {
  readonly run: RunRow
  readonly occasion: Occasion
  readonly witness: Pick<Witness, 'now' | 'sensed'>
}

async function pastRun(engine: Engine, operator: OperatorInForce, runId: string): Promise<PastRun> {
  const tenants = [operator.domain.tenant_id]
  const runs = await engine.database.asWorker(tenants, (tx) => readRuns(tx, tenants, runId, 10), {
    access: 'read only',
  })
  const run = runs.find((row) => row.run_id === runId && row.operator_id === operator.id)
  if (!run) {
    throw new FibricError('NOT_FOUND', `there is no run \`${runId}\` of \`${operator.address}\``, {
      hint: 'a run is named by: fibric trace, of its event or of one of its actions',
    })
  }
  const witness = await witnessOf(engine, run)
  if (witness === null && (operator.sense.length > 0 || operator.reason.model !== undefined || isAsked(run))) {
    throw unrecorded(run, 'kept nothing of what it saw: it came to nothing before, or saw more than is kept')
  }
  const occasion = await occasionOf(engine, run, witness)
  return { run, occasion, witness: witness ?? { now: run.created_at, sensed: {} } }
}

async function witnessOf(engine: Engine, run: RunRow): Promise<Witness | null> {
  const { tenant_id: tenantId, witness_digest: digest } = run
  if (digest === null) return null
  const bytes = await evidenceOf(engine, tenantId, digest)
  if (bytes === null) throw unrecorded(run, 'saw what is past its retention')
  return readWitness(bytes)
}

async function evidenceOf(engine: Engine, tenantId: TenantId, digest: Digest): Promise<Buffer | null> {
  const evidence = await engine.database.asWorker([tenantId], (tx) => readEvidence(tx, [tenantId], [digest]), {
    access: 'read only',
  })
  return evidence.get(digest) ?? null
}

/** What started a run, from its delivery: a person, a tick, or an event. */
async function occasionOf(engine: Engine, run: RunRow, witness: Witness | null): Promise<Occasion> {
  const base = { deliveryId: run.delivery_id, correlationId: run.correlation_id, depth: run.depth }
  if (isAsked(run)) {
    const event = witness!.event as unknown as Envelope | null
    return { ...base, event, key: run.delivery_id.slice(askPrefix.length) }
  }
  if (run.event_id === null) return { ...base, event: null, key: run.delivery_id.replace(/^tick:/, '') }
  const stored = await eventOf(engine, run.tenant_id, run.event_id)
  if (stored === null) throw unrecorded(run, `was of \`${run.event_id}\`, which the event log does not keep any more`)
  return { ...base, event: stored.envelope, key: stored.key ?? run.event_id }
}

function eventOf(engine: Engine, tenantId: TenantId, eventId: string) {
  return engine.database.asWorker([tenantId], (tx) => readEvent(tx, [tenantId], eventId), { access: 'read only' })
}

function isAsked(run: RunRow): boolean {
  return run.delivery_id.startsWith(askPrefix)
}

function unrecorded({ run_id: id }: RunRow, why: string): FibricError {
  return new FibricError('STATE_CONFLICT', `the run \`${id}\` ${why}`, {
    hint: 'simulate its event with real reads: fibric operators run NAME --simulate --event EV',
  })
}
