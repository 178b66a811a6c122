import { randomBytes } from 'node:crypto'
import { mintId, platformTenantId, type ReceiptId, type TenantId } from '../domain/ids.ts'
import { controlEntry } from '../domain/receipt.ts'
import type { Database } from '../store/connect.ts'
import { readDeletedDomains } from '../store/domains.ts'
import { appendEntries } from '../store/ledger.ts'
import { countUnresolved } from '../store/off-boarding.ts'
import { destroyAllVersions, destroyTenantKeys, forgetTokens, lockSecrets, readTenantKeys } from '../store/secrets.ts'

/**
 * Forgets what tenants that were deleted had sealed: their keys are destroyed, and with them every secret, whatever copies of
 * the rows there are. The ledger stays, and says that and when. Answers whose keys are gone now.
 *
 * While an attempt is under way or in doubt its tenant keeps its key: the one ends by itself, the other when a person says.
 */
export async function destroyKeysOfDeleted(
  database: Database,
  change: { readonly person: string; readonly now: Date },
): Promise<TenantId[]> {
  const deleted = await database.asWorker([platformTenantId], readDeletedDomains, { access: 'read only' })
  const gone: TenantId[] = []
  for (const { tenant_id: tenantId, reseller_id: resellerId } of deleted) {
    if (await destroyKeysOf(database, tenantId, resellerId, change)) gone.push(tenantId)
  }
  return gone
}

async function destroyKeysOf(
  database: Database,
  tenantId: TenantId,
  resellerId: string | null,
  { person, now }: { readonly person: string; readonly now: Date },
): Promise<boolean> {
  const keys = await database.asTenant(tenantId, readTenantKeys, { access: 'read only' })
  if (keys.length === 0) return false
  const unresolved = await database.asWorker([tenantId], (tx) => countUnresolved(tx, tenantId), { access: 'read only' })
  if (unresolved > 0) return false
  const at = now.toISOString()
  return database.asTenant(tenantId, async (tx) => {
    await lockSecrets(tx, tenantId)
    const versions = await destroyAllVersions(tx, at)
    await forgetTokens(tx, null)
    // Of two that come at once, the second finds none left.
    const destroyed = await destroyTenantKeys(tx)
    if (destroyed.length === 0) return false
    const id = mintId('receipt', now.getTime(), randomBytes(10)) as ReceiptId
    const details = { keys: destroyed, versions }
    const entry = controlEntry(id, 'control.tenant_key.destroy', { tenantId, person, at, details })
    await appendEntries(tx, tenantId, resellerId, at, [entry])
    return true
  })
}
