import type { ActionId, TenantId } from '../../domain/ids.ts'
import { type NewAlert, writeAlerts } from '../../store/alerts.ts'
import { type Claimed, type ClaimItem, claimEffects } from '../../store/claims.ts'
import { isPassing } from '../../store/database-error.ts'
import { deferEffects } from '../../store/effect-queue.ts'
import { alertsOf } from '../alerts.ts'
import { withRetry } from '../config/with-retry.ts'
import type { Prepared } from './batch.ts'
import type { ExecutorContext } from './context.ts'

/** An action that is looked at again later. */
export interface Deferred {
  readonly tenantId: TenantId
  readonly actionId: ActionId
  readonly afterMs: number
}

/** How long an action is left alone whose claim the database refuses. */
const refusedMs = 60_000

/**
 * Claims all in one statement, and puts off what is to be put off. Where the database refuses the statement as such, each
 * claim is made alone, so that one that cannot be kept costs the others nothing.
 */
export async function claimAll(
  context: ExecutorContext,
  claims: readonly Prepared[],
  defers: readonly Deferred[],
  platformEpoch: number,
  now: Date,
): Promise<Claimed[]> {
  if (claims.length === 0 && defers.length === 0) return []
  try {
    return await claim(context, claims, defers, platformEpoch, now)
  } catch (error) {
    if (claims.length === 0 || isPassing(error)) throw error
    if (claims.length === 1) return leaveAlone(context, claims[0]!, defers, error)
  }
  const results = await claim(context, [], defers, platformEpoch, now)
  for (const [index, each] of claims.entries()) {
    const [result] = await claimAll(context, [each], [], platformEpoch, now)
    if (result) results.push({ ...result, item: index + 1 })
  }
  return results
}

async function leaveAlone(
  context: ExecutorContext,
  { item: { tenantId, actionId } }: Prepared,
  defers: readonly Deferred[],
  error: unknown,
): Promise<Claimed[]> {
  context.onFailure(error, `claiming \`${actionId}\``)
  return claim(context, [], [...defers, { tenantId, actionId, afterMs: refusedMs }], 0, new Date(0))
}

/** An action that is about to run, or to run again, raises what its rules say, with the commit that lets it. */
export function raisedBy(items: readonly ClaimItem[], claimed: readonly Claimed[], now: Date): NewAlert[] {
  return claimed.flatMap(({ item: nth, result }) => {
    const { become, tenantId, actionId, verdict } = items[nth - 1]!
    return result === 'done' && (become === 'intent' || become === 'reconciling')
      ? alertsOf(tenantId, actionId, verdict, now)
      : []
  })
}

async function claim(
  context: ExecutorContext,
  claims: readonly Prepared[],
  defers: readonly Deferred[],
  platformEpoch: number,
  now: Date,
): Promise<Claimed[]> {
  const tenants = [...new Set([...claims.map(({ item }) => item.tenantId), ...defers.map((each) => each.tenantId)])]
  if (tenants.length === 0) return []
  return withRetry(() =>
    context.database.asWorker(tenants, async (tx) => {
      await deferEffects(tx, defers)
      if (claims.length === 0) return []
      const items = claims.map(({ item }) => item)
      const claimed = await claimEffects(tx, items, platformEpoch, now.toISOString())
      await writeAlerts(tx, raisedBy(items, claimed, now), now.toISOString())
      return claimed
    }),
  )
}
