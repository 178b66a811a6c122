import { platformTenantId, type TenantId } from '../domain/ids.ts'
import type { Engine } from '../engine.ts'
import { endActionsOfDeleted } from '../executor/effects/off-boarding.ts'
import { readDeletedDomains } from '../store/domains.ts'
import { destroyKeysOfDeleted } from '../tenancy/off-boarding.ts'

/**
 * What is left to do for tenants that were deleted: what waits ends, doubts are left to people, and where there are none
 * their keys are destroyed. Safe to repeat; answers whose keys are gone now.
 */
export async function offBoardDeleted(engine: Engine, person: string): Promise<TenantId[]> {
  const { database, clock } = engine
  const deleted = await database.asWorker([platformTenantId], readDeletedDomains, { access: 'read only' })
  await endActionsOfDeleted({ database, clock, person }, deleted)
  return destroyKeysOfDeleted(database, { person, now: clock() })
}
