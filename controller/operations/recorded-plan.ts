import { FibricError } from '../domain/errors.ts'
import type { PlanId } from '../domain/ids.ts'
import { isJsonObject, type JsonObject } from '../domain/json.ts'
import type { TenantFacts } from '../domain/rules.ts'
import type { Engine } from '../engine.ts'
import { type Effect, effectOf, proposerOfPlan } from '../executor/effects/effect.ts'
import type { PlanDraft, Proposal } from '../executor/effects/propose.ts'
import { RulesCache } from '../executor/effects/rules-cache.ts'
import { readActionsById } from '../store/actions.ts'
import { readEffects } from '../store/effects.ts'
import { readRuns } from '../store/runs.ts'
import { showPlans } from './plans.ts'

/** A plan of effects as it was proposed, to be drafted again. */
export interface RecordedPlan {
  readonly planId: PlanId
  readonly draft: PlanDraft
  /** The keys its actions had, in their order. */
  readonly keys: readonly string[]
}

/** The plan an id names, by what its actions were recorded with. */
export async function recordedPlan(engine: Engine, id: string): Promise<RecordedPlan> {
  const plans = await showPlans(engine, id)
  const [plan] = plans
  if (plans.length !== 1 || !plan) {
    throw new FibricError('USAGE', `\`${id}\` names ${plans.length} plans`, {
      hint: `name one: ${plans.map((each) => each.plan_id).join(', ')}`,
    })
  }
  const tenants = [plan.tenant_id]
  const rows = await engine.database.asWorker(
    tenants,
    async (tx) => {
      // All of the plan's, where one of them was named.
      const actions = await readActionsById(tx, tenants, plan.plan_id)
      const ids = actions.map((action) => action.action_id)
      return readEffects(tx, tenants, ids)
    },
    { access: 'read only' },
  )
  if (rows.length === 0) {
    throw new FibricError('STATE_CONFLICT', `\`${id}\` changes configuration, which a plan shows without doing it`, {
      hint: 'see what would change: fibric plan',
    })
  }
  const effects = rows.map(effectOf).toSorted((a, b) => a.row.ordinal - b.row.ordinal)
  const draft = await draftOf(engine, effects, await operatorIdOf(engine, effects[0]!))
  return { planId: plan.plan_id, draft, keys: effects.map(({ row }) => row.idempotency_key) }
}

/** The operator is known by its run. */
async function operatorIdOf(engine: Engine, { row, facts }: Effect): Promise<string | null> {
  if (facts.runId === null) return null
  const tenants = [row.tenant_id]
  const id = facts.runId
  const runs = await engine.database.asWorker(tenants, (tx) => readRuns(tx, tenants, id, 1), {
    access: 'read only',
  })
  return runs[0]?.operator_id ?? null
}

async function draftOf(engine: Engine, effects: readonly Effect[], operatorId: string | null): Promise<PlanDraft> {
  const { row, facts } = effects[0]!
  const rules = new RulesCache(engine.database, engine.clock)
  const { pools } = await rules.of([row.tenant_id])
  const domain = rules.domain(row.tenant_id)!
  const { action, envelope } = row.gate_input as { readonly [part: string]: JsonObject }
  const { operator } = facts
  return {
    domain,
    planId: row.plan_id,
    runId: facts.runId,
    proposer: proposerOfPlan(row),
    operator: operator === null ? null : { name: operator, id: operatorId ?? operator },
    correlationId: row.correlation_id,
    eventId: row.event_id,
    eventKey: row.plan_id,
    event: isJsonObject(envelope?.event) ? envelope.event : null,
    tenant: pools.factsOf(domain.slug) as TenantFacts,
    source: row.source,
    model: facts.model,
    modelRating: typeof action?.modelRating === 'string' ? action.modelRating : null,
    compensates: facts.compensates,
    capabilities: null,
    proposals: effects.map((effect) => proposalOf(effect, effects)),
  }
}

function proposalOf({ row, facts }: Effect, effects: readonly Effect[]): Proposal {
  return {
    capability: row.capability,
    args: row.args as JsonObject,
    value: facts.value?.amount ?? null,
    // Which key it was the caller knows; that an author chose it decides what a conflict under it means.
    key: facts.authored ? row.idempotency_key : null,
    withinMs: facts.withinMs,
    after: (row.after as readonly string[])
      .map((id) => effects.findIndex((each) => each.row.action_id === id))
      .filter((index) => index >= 0),
  }
}
