import type { Digest } from '../domain/ids.ts'
import type { Database } from '../store/connect.ts'
import { clearDrift, writeDrift } from '../store/connection-records.ts'
import type { CallPlace } from './mcp/caller.ts'

/**
 * Keeps on record which connections reach a server whose tools are not those their connector pins. What the calls of this
 * process found last is remembered, so a connection is written about when something changes, and not with every call.
 */
export function noteListed(
  database: Database,
  clock: () => Date,
): (place: CallPlace, listed: Digest, pinned: string | null) => void {
  const known = new Map<string, string>()
  return (place, listed, pinned) => {
    const { tenant, connection, connectionDigest } = place
    const found = `${connectionDigest} ${listed} ${pinned}`
    const key = `${tenant} ${connection}`
    if (known.get(key) === found) return
    known.set(key, found)
    const at = clock().toISOString()
    const drift = { tenantId: tenant, address: connection, connectionDigest, pinned, listed, at }
    void database
      .asWorker([tenant], (tx) => (listed === pinned ? clearDrift(tx, tenant, connection) : writeDrift(tx, drift)))
      .catch(() => known.delete(key)) // the call is refused all the same, and the next one writes it down
  }
}
