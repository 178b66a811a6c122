import type { ActionState } from '../../domain/action-machine.ts'
import type { ActionId, PlanId, TenantId } from '../../domain/ids.ts'
import { moveAction } from '../../store/actions.ts'
import { enqueueEffects } from '../../store/effect-queue.ts'
import { lockPlanEffects } from '../../store/effects.ts'
import { appendEntries } from '../../store/ledger.ts'
import type { ExecutorContext } from './context.ts'
import { effectOf } from './effect.ts'
import { effectReceipt } from './receipts.ts'

/**
 * Goes on with a plan after one of its actions ended: those whose prerequisites were applied or deduplicated may start,
 * those with one that ended any other way end skipped, naming it. Safe to repeat at any time.
 */
export async function advancePlan(
  context: Pick<ExecutorContext, 'database' | 'clock'>,
  tenant: TenantId,
  plan: PlanId,
): Promise<void> {
  const now = context.clock()
  const at = now.toISOString()
  await context.database.asWorker([tenant], async (tx) => {
    const rows = await lockPlanEffects(tx, tenant, plan)
    const states = new Map<string, ActionState>(rows.map((row) => [row.action_id, row.state]))
    const ready: ActionId[] = []
    // In order: an action that is skipped here takes those after it along.
    for (const row of rows) {
      if (row.state !== 'planned' || row.queued) continue
      const before = row.after.map((id) => ({ id: id as string, state: states.get(id) }))
      const refused = before.find(({ state }) => state !== undefined && endedOtherwise.has(state))
      if (refused) {
        const cause = `\`${refused.id}\` ended ${refused.state}`
        const receipt = effectReceipt(effectOf(row), { state: 'skipped', cause }, now)
        await moveAction(tx, tenant, { ...row, state: 'skipped', state_at: at, receipt_id: receipt.id, cause })
        await appendEntries(tx, tenant, row.reseller_id, at, [receipt])
        states.set(row.action_id, 'skipped')
      } else if (before.every(({ state }) => state === 'applied' || state === 'deduplicated')) {
        ready.push(row.action_id)
      }
    }
    await enqueueEffects(tx, tenant, ready)
  })
}

const endedOtherwise: ReadonlySet<ActionState> = new Set([
  ...(['rejected', 'skipped', 'blocked', 'vetoed', 'expired', 'superseded', 'failed', 'cancelled'] as const),
])
