import type { TenantId } from '../domain/ids.ts'
import type { Transaction } from './tenancy.ts'

const selectUnresolved = `
select count(*)::integer as count
  from fibric.action
 where tenant_id = $1
   and effect is not null
   and state in ('intent', 'reconciling', 'unknown', 'manual')`

/** Effects of a domain that are under way, or of which nobody knows whether they happened. */
export async function countUnresolved(tx: Transaction, tenantId: TenantId): Promise<number> {
  const [row] = await tx.query<{ count: number }>(selectUnresolved, [tenantId])
  return row!.count
}
