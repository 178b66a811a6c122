import type { Digest, TenantId } from '../domain/ids.ts'
import type { Transaction } from './tenancy.ts'

export interface Evidence {
  readonly digest: Digest
  readonly purpose: 'prompt' | 'output' | 'witness'
  readonly bytes: Buffer
}

// What comes up again is kept as long as what came up last. Damage behind our back is repaired on the way.
const upsertEvidence = `
insert into fibric.evidence as e (tenant_id, reseller_id, digest, purpose, bytes, written_at)
values ($1, $2, $3, $4, $5, $6)
    on conflict (tenant_id, digest) do update
   set bytes = excluded.bytes, written_at = greatest(e.written_at, excluded.written_at)
 where e.bytes <> excluded.bytes or e.written_at < excluded.written_at - interval '1 hour'`

export async function writeEvidence(
  tx: Transaction,
  domain: { readonly tenant_id: TenantId; readonly reseller_id: string | null },
  now: string,
  { digest, purpose, bytes }: Evidence,
): Promise<void> {
  await tx.execute(upsertEvidence, [domain.tenant_id, domain.reseller_id, digest, purpose, bytes, now])
}

const selectEvidence = `
select digest, bytes
  from fibric.evidence
 where tenant_id = any($1)
   and digest = any($2)
   and 'sha256:' || encode(sha256(bytes), 'hex') = digest`

/** Intact evidence by digest; what is gone or damaged is not in the answer. */
export async function readEvidence(
  tx: Transaction,
  tenants: readonly TenantId[],
  digests: readonly Digest[],
): Promise<Map<Digest, Buffer>> {
  if (digests.length === 0) return new Map()
  const rows = await tx.query<{ digest: Digest; bytes: Buffer }>(selectEvidence, [tenants, digests])
  return new Map(rows.map((row) => [row.digest, row.bytes]))
}

const deleteEvidence = `delete from fibric.evidence where tenant_id = $1 and written_at < $2`

/** Lets go of what last came up before an instant. Its digests stay in receipts and entries. */
export function dropEvidence(tx: Transaction, tenantId: TenantId, before: string): Promise<number> {
  return tx.execute(deleteEvidence, [tenantId, before])
}
