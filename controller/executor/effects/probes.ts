import type { TenantId } from '../../domain/ids.ts'
import { giveProbeBack, takeProbe } from '../../store/breakers.ts'
import type { DueRow } from '../../store/effect-queue.ts'
import type { Prepared } from './batch.ts'
import type { Deferred } from './claim-all.ts'
import type { ExecutorContext } from './context.ts'

/** The right to try a connection whose breaker's time is over: one has it in the whole deployment, until it runs out. */
export interface ProbeRight {
  readonly tenantId: TenantId
  readonly connection: string
  /** Tells this right from the next one. */
  readonly until: string
}

/** Whether its connection was not done so often that its breaker opened; its time may be over by now. */
export function isBroken(row: Pick<DueRow, 'breaker_failures'>, breakerAfter: number): boolean {
  return (row.breaker_failures ?? 0) >= breakerAfter
}

/**
 * Of claims about to be made, those that try a connection again have to have the right to: the first that asks. The others
 * wait as long as it may take.
 */
export async function takeProbes(
  context: ExecutorContext,
  claims: readonly Prepared[],
): Promise<{ kept: Prepared[]; rights: Map<Prepared, ProbeRight>; defers: Deferred[] }> {
  const kept: Prepared[] = []
  const rights = new Map<Prepared, ProbeRight>()
  const defers: Deferred[] = []
  for (const claim of claims) {
    const { effect, item } = claim
    const { connection } = effect.facts
    if (
      connection === null ||
      !sends.has(item.become) ||
      !isBroken(effect.row as DueRow, context.settings.breakerAfter)
    ) {
      kept.push(claim)
      continue
    }
    const { tenantId, actionId, leaseMs } = item
    const taken = await context.database.asWorker([tenantId], (tx) => takeProbe(tx, tenantId, connection, leaseMs))
    if (taken.kind === 'open') {
      defers.push({ tenantId, actionId, afterMs: taken.remainingMs })
      continue
    }
    kept.push(claim)
    if (taken.kind === 'taken') rights.set(claim, { tenantId, connection, until: taken.until })
  }
  return { kept, rights, defers }
}

/** Nothing was learned of the connection: the next one may try it. */
export async function giveBack(context: ExecutorContext, rights: readonly ProbeRight[]): Promise<void> {
  for (const { tenantId, connection, until } of rights)
    await context.database.asWorker([tenantId], (tx) => giveProbeBack(tx, tenantId, connection, until))
}

const sends: ReadonlySet<string> = new Set(['intent', 'reconciling'])
