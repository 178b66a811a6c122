import type { Digest } from '../domain/ids.ts'
import type { PlannedChange, Standing } from '../domain/plan.ts'
import type { PastActions } from './past-actions.ts'

/**
 * What applying would do with a change of a plan that was saved a while ago. A killed attempt of the same plan may have
 * asked for it since: what waits or was refused by then is not asked for a second time.
 */
export function standingNow(change: PlannedChange, past: PastActions): Standing {
  const { standing } = change
  if (standing.kind === 'suspended' || standing.kind === 'withheld') return standing
  const waiting = past.waiting(change)
  if (waiting) return { kind: 'waiting', actionId: waiting.action_id }
  const settled = past.settled(change, change.verdict.policy_digest as Digest)
  if (!settled) return standing.kind === 'proposed' ? standing : { kind: 'proposed' }
  if (standing.kind === 'proposed' && standing.despite === settled.action_id) return standing
  return { kind: 'settled', outcome: settled.state, receiptId: settled.receipt_id! }
}
