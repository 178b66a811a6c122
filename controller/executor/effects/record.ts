import { engineVersion } from '../../domain/engine.ts'
import type { ActionId } from '../../domain/ids.ts'
import type { JsonObject } from '../../domain/json.ts'
import { type ClaimedEffect, type NewEffect, proposeEffects } from '../../store/effects.ts'
import type { Transaction } from '../../store/tenancy.ts'
import type { PlanDraft } from './propose.ts'

export interface DraftedPlan {
  readonly draft: PlanDraft
  readonly effects: readonly NewEffect[]
}

/**
 * Writes ExecutionPlans with their actions; those that may start are where the executor finds them once this commits, but for
 * those that the same transaction has claimed.
 */
export function recordPlans(
  tx: Transaction,
  plans: readonly DraftedPlan[],
  now: Date,
  claimed: ReadonlyMap<ActionId, ClaimedEffect> = new Map(),
): Promise<void> {
  const rows = plans.map(({ draft, effects }) => ({
    plan: {
      tenant_id: draft.domain.tenant_id,
      reseller_id: draft.domain.reseller_id,
      plan_id: draft.planId,
      correlation_id: draft.correlationId,
      event_id: draft.eventId,
      proposer: draft.proposer as unknown as JsonObject,
      source: draft.source,
    },
    effects,
  }))
  return proposeEffects(tx, rows, engineVersion, now.toISOString(), claimed)
}
