import { FibricError } from '../domain/errors.ts'
import type { StaleObject } from '../domain/plan.ts'
import type { Engine } from '../engine.ts'
import { type Actual, tenantOf } from '../reconciler/actual.ts'
import { readEntries } from '../store/ledger.ts'
import { readLastReceipts } from '../store/objects.ts'

/** Names what moved since a plan was made: which object, which receipt moved it, by whom, and when. */
export async function explainStale(
  engine: Engine,
  stale: readonly StaleObject[],
  actual: Actual,
): Promise<FibricError> {
  const moves = []
  for (const { address, planned, now } of stale.slice(0, 10)) {
    moves.push({ address, planned, now, receipt: await lastReceipt(engine, actual, address) })
  }
  const [first] = moves
  const by = first?.receipt ? ` by ${first.receipt.person} at ${first.receipt.at} (receipt ${first.receipt.id})` : ''
  const more = stale.length > 1 ? `, and ${stale.length - 1} more objects` : ''
  return new FibricError('PLAN_STALE', `\`${first!.address}\` was moved${by} since the plan was made${more}`, {
    hint: 'plan again: fibric plan --out FILE',
    details: { moves },
  })
}

async function lastReceipt(engine: Engine, actual: Actual, address: StaleObject['address']) {
  const tenantId = tenantOf(actual, address)
  // Who moved an object of another domain is that domain's own business.
  if (tenantId === null || (engine.actor.tenantId !== null && engine.actor.tenantId !== tenantId)) return null
  return engine.database.asWorker(
    [tenantId],
    async (tx) => {
      const [last] = await readLastReceipts(tx, [{ tenantId, address }])
      if (!last?.receipted_by) return null
      const [entry] = await readEntries(tx, { tenants: [tenantId], id: last.receipted_by, limit: 1 })
      if (!entry) return null
      const receipt = JSON.parse(entry.bytes.toString('utf8')) as { proposer: { name: string }; ended_at: string }
      return { id: entry.entry_id, person: receipt.proposer.name, at: receipt.ended_at }
    },
    { access: 'read only' },
  )
}
