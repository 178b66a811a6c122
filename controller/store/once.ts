import type { TenantId } from '../domain/ids.ts'
import type { Json } from '../domain/json.ts'
import type { Transaction } from './tenancy.ts'

export interface OnceRow {
  readonly began_at: string
  readonly ended_at: string | null
  readonly result: { readonly value: Json } | null
}

const insertOnce = `
insert into fibric.once (tenant_id, reseller_id, key, began_at)
values ($1, $2, $3, $4)
    on conflict (tenant_id, key) do nothing
returning key`

/** Takes a key. False when it was taken before. */
export async function beginOnce(
  tx: Transaction,
  once: {
    readonly tenantId: TenantId
    readonly resellerId: string | null
    readonly key: string
    readonly beganAt: string
  },
): Promise<boolean> {
  return (await tx.query(insertOnce, [once.tenantId, once.resellerId, once.key, once.beganAt])).length === 1
}

const selectOnce = `select began_at, ended_at, result from fibric.once where tenant_id = $1 and key = $2`

export async function readOnce(tx: Transaction, tenantId: TenantId, key: string): Promise<OnceRow | null> {
  const [row] = await tx.query<OnceRow>(selectOnce, [tenantId, key])
  return row ?? null
}

const updateOnce = `update fibric.once set result = $3, ended_at = $4 where tenant_id = $1 and key = $2`

/** Notes what it came to. Boxed: a result that is null is a result. */
export async function endOnce(
  tx: Transaction,
  tenantId: TenantId,
  key: string,
  result: Json,
  endedAt: string,
): Promise<void> {
  await tx.query(updateOnce, [tenantId, key, JSON.stringify({ value: result }), endedAt])
}

const deleteOnce = `delete from fibric.once where tenant_id = $1 and key = $2 and ended_at is null`

export async function forgetOnce(tx: Transaction, tenantId: TenantId, key: string): Promise<void> {
  await tx.query(deleteOnce, [tenantId, key])
}

const deleteEnded = `delete from fibric.once where tenant_id = $1 and ended_at < $2`

/** Lets go of keys that ended before an instant; what is in doubt stays. */
export function dropOnce(tx: Transaction, tenantId: TenantId, before: string): Promise<number> {
  return tx.execute(deleteEnded, [tenantId, before])
}
