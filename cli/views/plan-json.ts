import { verbOf } from '../../controller/domain/change.ts'
import { countChanges, type Plan } from '../../controller/domain/plan.ts'
import type { Planned } from '../../controller/operations/plan.ts'

export function planJson(plan: Plan, brakes: Planned['brakes']): unknown {
  return {
    object: 'plan',
    id: plan.id,
    deployment: plan.deployment,
    engine: plan.engine,
    genesis: plan.genesis,
    source: plan.source,
    created_at: plan.createdAt,
    expires_at: plan.expiresAt,
    counts: countChanges(plan.changes),
    changes: plan.changes.map((change) => ({
      address: change.address,
      address_before: change.addressBefore,
      change: verbOf(change),
      heals: change.heals,
      digest: change.digest,
      generation_before: change.generationBefore,
      digest_before: change.digestBefore,
      digest_after: change.digestAfter,
      standing: change.standing,
      authority: change.authority,
      verdict: change.verdict,
      authors: change.authors,
      source: change.source,
      after: change.after,
    })),
    read_set: plan.readSet,
    rules: plan.rules,
    drifted: plan.drifted,
    brakes,
    backtest: plan.backtest,
    warnings: plan.warnings,
  }
}
