import { engineVersion } from '../../domain/engine.ts'
import { writeExecutionPlan } from '../../store/actions.ts'
import { type NewEffect, proposeEffects } from '../../store/effects.ts'
import type { Transaction } from '../../store/tenancy.ts'
import type { PlanDraft } from './propose.ts'

/** Writes an ExecutionPlan with its actions; those that may start are where the executor finds them once this commits. */
export async function recordPlan(
  tx: Transaction,
  draft: PlanDraft,
  effects: readonly NewEffect[],
  now: Date,
): Promise<void> {
  const { tenant_id, reseller_id } = draft.domain
  const at = now.toISOString()
  await writeExecutionPlan(tx, reseller_id, engineVersion, {
    tenant_id,
    plan_id: draft.planId,
    config_plan_id: null,
    correlation_id: draft.correlationId,
    event_id: draft.eventId,
    proposer: draft.proposer,
    source: draft.source,
    created_at: at,
  })
  await proposeEffects(tx, tenant_id, reseller_id, effects, at)
}
