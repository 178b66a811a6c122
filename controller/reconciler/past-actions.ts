import { isRefusal } from '../domain/action-machine.ts'
import { type Change, changeDigest } from '../domain/change.ts'
import type { Digest, TenantId } from '../domain/ids.ts'
import { type ActionRow, readLastActions, readOpenChanges } from '../store/actions.ts'
import type { Database } from '../store/connect.ts'

/** What became of changes when they were asked for before. */
export interface PastActions {
  /** The action that waits for a person, or for another action, over exactly this change. */
  waiting(change: Change): ActionRow | null
  /** The action that ended against this change under the same rules: the same wish is asked once. */
  settled(change: Change, policyDigest: Digest): ActionRow | null
  readonly open: readonly ActionRow[]
}

export async function readPastActions(
  database: Database,
  tenants: readonly TenantId[],
  changes: readonly Change[],
): Promise<PastActions> {
  const [open, last] = await database.asWorker(
    tenants,
    async (tx) => {
      const waiting = await readOpenChanges(tx, tenants)
      const ended = changes.length === 0 ? [] : await readLastActions(tx, tenants, changes.map(changeDigest))
      return [waiting, ended]
    },
    { access: 'read only' },
  )
  const waiting = new Map(open.map((action) => [action.change_digest, action]))
  const ended = new Map(last.map((action) => [action.change_digest, action]))
  return {
    open,
    waiting: (change) => waiting.get(changeDigest(change)) ?? null,
    settled: (change, policyDigest) => {
      const action = ended.get(changeDigest(change))
      return action && isRefusal(action.state) && action.policy_digest === policyDigest ? action : null
    },
  }
}
