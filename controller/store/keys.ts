import type { TenantId } from '../domain/ids.ts'
import type { Transaction } from './tenancy.ts'

export interface ApiKeyRow {
  readonly tenant_id: TenantId
  readonly key_id: string
  readonly name: string | null
  /** Address of the User the key speaks for; null for a machine. */
  readonly user_address: string | null
  readonly role: string
  readonly scopes: readonly string[]
  readonly prefix: string
  readonly last_four: string
  readonly created_by: string
  readonly created_at: string
  readonly expires_at: string | null
  readonly revoked_at: string | null
}

const shownColumns =
  'tenant_id, key_id, name, user_address, role, scopes, prefix, last_four, created_by, created_at, expires_at, revoked_at'

const selectBySecret = `select ${shownColumns} from fibric.api_key where secret_hash = $1`

/** The key whose secret hashes to `hash`, in the domain of the transaction; revoked and expired ones included. */
export async function findKey(tx: Transaction, hash: Buffer): Promise<ApiKeyRow | null> {
  const rows = await tx.query<ApiKeyRow>(selectBySecret, [hash])
  return rows[0] ?? null
}

const selectKeys = `select ${shownColumns} from fibric.api_key order by key_id desc`

export function readKeys(tx: Transaction): Promise<ApiKeyRow[]> {
  return tx.query<ApiKeyRow>(selectKeys)
}

const insertKey = `
insert into fibric.api_key (tenant_id, key_id, name, user_address, role, scopes, secret_hash, prefix, last_four, created_by, created_at, expires_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
    on conflict (tenant_id, key_id) do nothing
returning key_id`

/** False where there is a key of this id. */
export async function writeKey(tx: Transaction, key: Omit<ApiKeyRow, 'revoked_at'>, hash: Buffer): Promise<boolean> {
  const written = await tx.query(insertKey, [
    key.tenant_id,
    key.key_id,
    key.name,
    key.user_address,
    key.role,
    key.scopes,
    hash,
    key.prefix,
    key.last_four,
    key.created_by,
    key.created_at,
    key.expires_at,
  ])
  return written.length === 1
}

const revokeRow = `
update fibric.api_key
   set revoked_at = $2
 where key_id = $1
   and revoked_at is null
returning key_id`

/** False when there is no such live key. */
export async function revokeKeyRow(tx: Transaction, keyId: string, now: string): Promise<boolean> {
  return (await tx.query(revokeRow, [keyId, now])).length === 1
}
