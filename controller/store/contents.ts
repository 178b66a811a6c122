import type { Digest, TenantId } from '../domain/ids.ts'
import type { Transaction } from './tenancy.ts'

export interface ContentWrite {
  readonly digest: Digest
  /** The kind of the document, or `file`. */
  readonly kind: string
  readonly bytes: Buffer
}

// Content that is there already is left alone, unless its bytes were damaged behind our back.
const insertContents = `
insert into fibric.content (tenant_id, reseller_id, digest, kind, bytes, created_at)
select $1, $2, w.digest, w.kind, w.bytes, $3
  from unnest($4::text[], $5::text[], $6::bytea[]) as w (digest, kind, bytes)
 order by w.digest
    on conflict (tenant_id, digest) do update
   set bytes = excluded.bytes
 where content.bytes <> excluded.bytes`

export async function writeContents(
  tx: Transaction,
  tenant: TenantId,
  resellerId: string | null,
  now: string,
  writes: readonly ContentWrite[],
): Promise<void> {
  const unique = [...new Map(writes.map((write) => [write.digest, write])).values()]
  if (unique.length === 0) return
  await tx.query(insertContents, [
    tenant,
    resellerId,
    now,
    unique.map((write) => write.digest),
    unique.map((write) => write.kind),
    unique.map((write) => write.bytes),
  ])
}

const selectContents = `
select c.tenant_id, c.digest, c.bytes
  from unnest($1::text[], $2::text[]) as w (tenant_id, digest)
  join fibric.content c on c.tenant_id = w.tenant_id and c.digest = w.digest
 where 'sha256:' || encode(sha256(c.bytes), 'hex') = c.digest`

/** Intact contents by digest; one that is gone or damaged is not in the answer. */
export async function readContents(
  tx: Transaction,
  places: readonly { readonly tenantId: TenantId; readonly digest: Digest }[],
): Promise<Map<Digest, Buffer>> {
  if (places.length === 0) return new Map()
  const rows = await tx.query<{ digest: Digest; bytes: Buffer }>(selectContents, [
    places.map((place) => place.tenantId),
    places.map((place) => place.digest),
  ])
  return new Map(rows.map((row) => [row.digest, row.bytes]))
}
