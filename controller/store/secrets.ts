import type { TenantId } from '../domain/ids.ts'
import type { Transaction } from './tenancy.ts'

export interface TenantKeyRow {
  readonly key_id: string
  readonly sealed: Buffer
  readonly current: boolean
}

const selectTenantKeys = `select key_id, sealed, current from fibric.tenant_key`

/** The keys of the transaction's domain. */
export function readTenantKeys(tx: Transaction): Promise<TenantKeyRow[]> {
  return tx.query<TenantKeyRow>(selectTenantKeys)
}

const selectCurrentKey = `select key_id from fibric.tenant_key where current`

export async function readCurrentTenantKey(tx: Transaction): Promise<string | null> {
  const rows = await tx.query<{ key_id: string }>(selectCurrentKey)
  return rows[0]?.key_id ?? null
}

interface TenantKeyWrite {
  readonly tenantId: TenantId
  readonly keyId: string
  readonly sealed: Buffer
  readonly now: string
}

const insertKey = `
insert into fibric.tenant_key (tenant_id, key_id, sealed, created_at)
values ($1, $2, $3, $4)
    on conflict do nothing`

/** Of two that make the first key of a domain at once, one stands. */
export async function insertTenantKey(tx: Transaction, key: TenantKeyWrite): Promise<void> {
  await tx.query(insertKey, [key.tenantId, key.keyId, key.sealed, key.now])
}

const retireCurrent = `update fibric.tenant_key set current = false where current`

export async function replaceTenantKey(tx: Transaction, key: TenantKeyWrite): Promise<void> {
  await tx.query(retireCurrent)
  await insertTenantKey(tx, key)
}

const deleteKey = `delete from fibric.tenant_key where key_id = $1 and not current`

export async function forgetTenantKey(tx: Transaction, keyId: string): Promise<void> {
  await tx.query(deleteKey, [keyId])
}

const deleteAllKeys = `delete from fibric.tenant_key returning key_id`

/** Every key of the transaction's domain; nothing that was sealed under one opens again. Answers their ids. */
export async function destroyTenantKeys(tx: Transaction): Promise<string[]> {
  return (await tx.query<{ key_id: string }>(deleteAllKeys)).map((row) => row.key_id)
}

// One writer of a domain's secrets at a time: versions are counted, and a rotation of the key must miss none. A
// statement of its own: a lock taken in the statement that looks is taken after its snapshot.
const lockSecretsOf = `select pg_advisory_xact_lock(hashtextextended('fibric secrets ' || $1, 0))`

export async function lockSecrets(tx: Transaction, tenantId: TenantId): Promise<void> {
  await tx.query(lockSecretsOf, [tenantId])
}

export interface SecretVersionRow {
  readonly name: string
  readonly field: string
  readonly version: number
  readonly tenant_key_id: string
  readonly wrapped_key: Buffer
  readonly sealed: Buffer
}

const sealedColumns = 'name, field, version, tenant_key_id, wrapped_key, sealed'

// The newest version that has its bytes is the secret; the one before it counts as long as it was promised to.
const selectLiveVersions = `
select ${sealedColumns}
  from fibric.secret_version
 where name = $1
   and ($2::text is null or field = $2)
   and destroyed_at is null
   and (live_until is null or live_until > $3)
 order by field, version desc`

/** Live versions of a field, or of every field of a credential; newest first. */
export function readLiveVersions(
  tx: Transaction,
  name: string,
  field: string | null,
  now: string,
): Promise<SecretVersionRow[]> {
  return tx.query<SecretVersionRow>(selectLiveVersions, [name, field, now])
}

const selectSealedVersions = `select ${sealedColumns} from fibric.secret_version where destroyed_at is null`

/** Every version of the domain that has its bytes. */
export function readSealedVersions(tx: Transaction): Promise<SecretVersionRow[]> {
  return tx.query<SecretVersionRow>(selectSealedVersions)
}

const selectLastVersion = `select coalesce(max(version), 0) as last from fibric.secret_version where name = $1 and field = $2`

/** The number last given to a field; 0 before the first. */
export async function readLastVersion(tx: Transaction, name: string, field: string): Promise<number> {
  const [row] = await tx.query<{ last: number }>(selectLastVersion, [name, field])
  return row!.last
}

const insertVersion = `
insert into fibric.secret_version (tenant_id, name, field, version, tenant_key_id, wrapped_key, sealed, created_by, created_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9)`

export interface SecretVersionWrite {
  readonly tenantId: TenantId
  readonly name: string
  readonly field: string
  readonly version: number
  readonly tenantKeyId: string
  readonly wrappedKey: Buffer
  readonly sealed: Buffer
  readonly createdBy: string
  readonly now: string
}

export async function insertSecretVersion(tx: Transaction, write: SecretVersionWrite): Promise<void> {
  await tx.query(insertVersion, [
    write.tenantId,
    write.name,
    write.field,
    write.version,
    write.tenantKeyId,
    write.wrappedKey,
    write.sealed,
    write.createdBy,
    write.now,
  ])
}

const destroyVersions = `
update fibric.secret_version
   set tenant_key_id = null, wrapped_key = null, sealed = null, destroyed_at = $4
 where name = $1
   and ($2::text is null or field = $2)
   and version <= $3
   and destroyed_at is null
returning field, version`

/** Destroys the bytes of versions up to a number, of one field or of all; answers which. */
export function destroySecretVersions(
  tx: Transaction,
  name: string,
  field: string | null,
  upTo: number,
  now: string,
): Promise<{ readonly field: string; readonly version: number }[]> {
  return tx.query(destroyVersions, [name, field, upTo, now])
}

const destroyEveryVersion = `
update fibric.secret_version
   set tenant_key_id = null, wrapped_key = null, sealed = null, destroyed_at = $1
 where destroyed_at is null`

/** The bytes of every secret of the transaction's domain. Answers how many there were. */
export function destroyAllVersions(tx: Transaction, now: string): Promise<number> {
  return tx.execute(destroyEveryVersion, [now])
}

const limitVersion = `
update fibric.secret_version
   set live_until = $4
 where name = $1 and field = $2 and version = $3 and destroyed_at is null`

export async function limitSecretVersion(
  tx: Transaction,
  name: string,
  field: string,
  version: number,
  until: string,
): Promise<void> {
  await tx.query(limitVersion, [name, field, version, until])
}

const updateWrapping = `
update fibric.secret_version v
   set tenant_key_id = $1, wrapped_key = w.wrapped_key
  from unnest($2::text[], $3::text[], $4::integer[], $5::bytea[]) as w (name, field, version, wrapped_key)
 where v.name = w.name and v.field = w.field and v.version = w.version`

export async function rewrapVersions(
  tx: Transaction,
  tenantKeyId: string,
  rows: readonly { name: string; field: string; version: number; wrappedKey: Buffer }[],
): Promise<void> {
  await tx.query(updateWrapping, [
    tenantKeyId,
    rows.map((row) => row.name),
    rows.map((row) => row.field),
    rows.map((row) => row.version),
    rows.map((row) => row.wrappedKey),
  ])
}

export interface SecretListing {
  readonly name: string
  readonly field: string
  readonly version: number
  readonly created_by: string
  readonly created_at: string
  /** The version before, while it is still good; null when there is none. */
  readonly previous_version: number | null
  readonly previous_until: string | null
}

const selectListing = `
select s.name, s.field, s.version, s.created_by, s.created_at, p.version as previous_version, p.live_until as previous_until
  from (select distinct on (name, field) * from fibric.secret_version
         where destroyed_at is null order by name, field, version desc) s
  left join fibric.secret_version p
    on p.name = s.name and p.field = s.field and p.version < s.version and p.destroyed_at is null and p.live_until > $1
 order by s.name, s.field`

export function listSecretVersions(tx: Transaction, now: string): Promise<SecretListing[]> {
  return tx.query<SecretListing>(selectListing, [now])
}

const deleteTokens = `delete from fibric.oauth_token where $1::text is null or name = $1`

/** Tokens made of a credential, or of any: they are made again. */
export async function forgetTokens(tx: Transaction, name: string | null): Promise<void> {
  await tx.query(deleteTokens, [name])
}
