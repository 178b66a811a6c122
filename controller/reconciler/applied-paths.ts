import type { Database } from '../store/connect.ts'
import { readDomains } from '../store/domains.ts'
import { readSourcePaths } from '../store/objects.ts'

/** Paths that applied objects came from: a file there that does not parse is an error whatever its text says. */
export async function appliedPaths(database: Database): Promise<Set<string>> {
  const domains = await database.asWorker([], readDomains, { access: 'read only' })
  const tenants = domains.map((domain) => domain.tenant_id)
  const paths = await database.asWorker(tenants, (tx) => readSourcePaths(tx, tenants), { access: 'read only' })
  return new Set(paths)
}
