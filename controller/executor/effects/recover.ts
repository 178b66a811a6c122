import type { ActionId, TenantId } from '../../domain/ids.ts'
import { readLedgerOwners } from '../../store/domains.ts'
import { readAnsweredHolds, readExpiredHolds, readStrandedPlans } from '../../store/effect-leftovers.ts'
import { enqueueEffects } from '../../store/effect-queue.ts'
import { readEffects } from '../../store/effects.ts'
import { readExpiredLeases, readTenantsWithWaiters, wakeStrandedWaiters } from '../../store/leases.ts'
import { advancePlan } from './advance.ts'
import type { ExecutorContext } from './context.ts'
import { effectOf } from './effect.ts'
import { reservedBy } from './reserved.ts'
import { settleOutcomes } from './settle.ts'

const batchSize = 64

/**
 * What nobody else will do because whoever was to do it is gone: leases that ran out make their attempts doubts, holds that
 * expired or were answered go on, and so do plans and waiters that were left between two commits.
 */
export async function recover(context: ExecutorContext): Promise<boolean> {
  const doubts = await recoverLeases(context)
  const holds = await recoverPlans(context)
  return doubts || holds
}

/** Of that, what tells of itself without a look at every domain: leases and waiters. */
export async function recoverLeases(context: ExecutorContext): Promise<boolean> {
  const { database } = context
  const [expired, waiting] = await database.asWorker(
    [],
    (tx) => Promise.all([readExpiredLeases(tx, batchSize), readTenantsWithWaiters(tx)]),
    { access: 'read only', oneTrip: true },
  )
  if (waiting.length > 0) await database.asWorker(waiting, (tx) => wakeStrandedWaiters(tx, waiting))
  if (expired.length === 0) return false
  const tenants = unique(expired.map((lease) => lease.tenant_id))
  const ids = expired.map((lease) => lease.action_id)
  const rows = await database.asWorker(tenants, (tx) => readEffects(tx, tenants, ids), { access: 'read only' })
  const outcomes = rows.flatMap((row) => {
    if ((row.state !== 'intent' && row.state !== 'reconciling') || row.fence === null) return []
    const effect = effectOf(row)
    const cause = 'whoever made the attempt did not come back in time'
    return [
      {
        effect,
        from: row.state,
        fence: row.fence,
        next: { become: 'unknown' as const, cause, dueMs: 0 },
        attempt: effect.attempt,
        attempts: row.attempts,
        reserved: reservedBy(effect, effect.attempt),
      },
    ]
  })
  if (outcomes.length > 0) await settleOutcomes(context, outcomes)
  return outcomes.length > 0
}

/** Of that, holds and plans, in every domain. */
export async function recoverPlans(context: ExecutorContext): Promise<boolean> {
  const { database } = context
  const tenants = await database.asWorker([], readLedgerOwners, { access: 'read only' })
  const now = context.clock().toISOString()
  const [expired, answered, stranded] = await database.asWorker(
    tenants,
    async (tx) =>
      [
        await readExpiredHolds(tx, tenants, now),
        await readAnsweredHolds(tx, tenants),
        await readStrandedPlans(tx, tenants),
      ] as const,
    { access: 'read only' },
  )
  const due = Map.groupBy([...expired, ...answered], (row) => row.tenant_id)
  for (const [tenant, rows] of due)
    await enqueue(
      context,
      tenant,
      rows.map((row) => row.action_id),
    )
  for (const { tenant_id, plan_id } of stranded) await advancePlan(context, tenant_id, plan_id)
  return due.size > 0 || stranded.length > 0
}

function enqueue(context: ExecutorContext, tenant: TenantId, ids: readonly ActionId[]): Promise<void> {
  return context.database.asWorker([tenant], (tx) => enqueueEffects(tx, tenant, unique(ids)))
}

function unique<T>(items: readonly T[]): T[] {
  return [...new Set(items)]
}
