import type { Address, Digest, TenantId } from '../domain/ids.ts'
import type { Transaction } from './tenancy.ts'

export interface DriftRow {
  readonly tenant_id: TenantId
  readonly address: Address
  readonly connection_digest: Digest
  readonly pinned: string | null
  readonly listed: Digest
  readonly found_at: string
}

interface DriftWrite {
  readonly tenantId: TenantId
  readonly address: Address
  readonly connectionDigest: Digest
  readonly pinned: string | null
  readonly listed: Digest
  readonly at: string
}

const upsertDrift = `
insert into fibric.connection_drift as d (tenant_id, address, connection_digest, pinned, listed, found_at)
values ($1, $2, $3, $4, $5, $6)
    on conflict (tenant_id, address) do update
   set connection_digest = excluded.connection_digest, pinned = excluded.pinned, listed = excluded.listed, found_at = excluded.found_at
 where (d.connection_digest, d.pinned, d.listed) is distinct from (excluded.connection_digest, excluded.pinned, excluded.listed)`

/** The tools of a connection's server are not those that were looked at. */
export async function writeDrift(tx: Transaction, drift: DriftWrite): Promise<void> {
  const { tenantId, address, connectionDigest, pinned, listed, at } = drift
  await tx.query(upsertDrift, [tenantId, address, connectionDigest, pinned, listed, at])
}

const deleteDrift = `delete from fibric.connection_drift where tenant_id = $1 and address = $2`

export async function clearDrift(tx: Transaction, tenantId: TenantId, address: Address): Promise<void> {
  await tx.query(deleteDrift, [tenantId, address])
}

const selectDrifts = `select * from fibric.connection_drift where tenant_id = any($1)`

export function readDrifts(tx: Transaction, tenants: readonly TenantId[]): Promise<DriftRow[]> {
  return tx.query<DriftRow>(selectDrifts, [tenants])
}
