import type { TenantId } from '../domain/ids.ts'
import type { Transaction } from './tenancy.ts'

const selectUnderWay = `
select count(*)::integer as count
  from fibric.action
 where tenant_id = $1
   and effect is not null
   and state in ('intent', 'reconciling')`

/** Effects of a domain that somebody is carrying out. */
export async function countUnderWay(tx: Transaction, tenantId: TenantId): Promise<number> {
  const [row] = await tx.query<{ count: number }>(selectUnderWay, [tenantId])
  return row!.count
}
