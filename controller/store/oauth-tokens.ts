import type { TenantId } from '../domain/ids.ts'
import type { Transaction } from './tenancy.ts'

export interface TokenPlace {
  readonly tenantId: TenantId
  readonly name: string
  readonly audience: string
}

export interface TokenRow {
  readonly version: number
  readonly credential: string | null
  readonly tenant_key_id: string | null
  readonly wrapped_key: Buffer | null
  readonly sealed: Buffer | null
  /** Milliseconds left, by the database's clock; null where no token is held. */
  readonly remaining_ms: number | null
  readonly fresh: boolean
  readonly failure: string | null
}

const selectToken = `
select version, credential, tenant_key_id, wrapped_key, sealed, failure,
       coalesce(refresh_at > clock_timestamp(), false) as fresh,
       floor(extract(epoch from expires_at - clock_timestamp()) * 1000)::double precision as remaining_ms
  from fibric.oauth_token
 where name = $1
   and audience = $2`

export async function readToken(tx: Transaction, place: TokenPlace): Promise<TokenRow | null> {
  const rows = await tx.query<TokenRow>(selectToken, [place.name, place.audience])
  return rows[0] ?? null
}

// One refresher at a time. The lease is short and ends by itself: a refresher that died is replaced, and one that was
// only slow finds that the version moved.
const takeLease = `
insert into fibric.oauth_token as t (tenant_id, name, audience, version, lease_holder, lease_until)
values ($1, $2, $3, 0, $4, clock_timestamp() + make_interval(secs => $5::double precision / 1000))
    on conflict (tenant_id, name, audience) do update
   set lease_holder = excluded.lease_holder, lease_until = excluded.lease_until
 where t.lease_until is null or t.lease_until < clock_timestamp()
returning t.version`

/** The version the refresher found; null while somebody else refreshes. */
export async function leaseToken(
  tx: Transaction,
  place: TokenPlace,
  holder: string,
  leaseMs: number,
): Promise<number | null> {
  const rows = await tx.query<{ version: number }>(takeLease, [
    place.tenantId,
    place.name,
    place.audience,
    holder,
    leaseMs,
  ])
  return rows[0]?.version ?? null
}

const storeToken = `
update fibric.oauth_token
   set version = version + 1, credential = $4, tenant_key_id = $5, wrapped_key = $6, sealed = $7, failure = $8,
       expires_at = clock_timestamp() + make_interval(secs => $9::double precision / 1000),
       refresh_at = clock_timestamp() + make_interval(secs => $10::double precision / 1000),
       lease_holder = null, lease_until = null
 where name = $1 and audience = $2 and version = $3
returning version`

export interface TokenWrite {
  readonly credential: string
  readonly tenantKeyId: string | null
  readonly wrappedKey: Buffer | null
  readonly sealed: Buffer | null
  readonly failure: string | null
  readonly lifetimeMs: number
  readonly refreshInMs: number
}

/** Compare-and-set on the version: false when another refresher was faster. */
export async function writeToken(
  tx: Transaction,
  place: TokenPlace,
  version: number,
  write: TokenWrite,
): Promise<boolean> {
  const rows = await tx.query(storeToken, [
    place.name,
    place.audience,
    version,
    write.credential,
    write.tenantKeyId,
    write.wrappedKey,
    write.sealed,
    write.failure,
    write.lifetimeMs,
    write.refreshInMs,
  ])
  return rows.length === 1
}

const releaseLease = `
update fibric.oauth_token
   set lease_holder = null, lease_until = null
 where name = $1 and audience = $2 and lease_holder = $3`

export async function releaseTokenLease(tx: Transaction, place: TokenPlace, holder: string): Promise<void> {
  await tx.query(releaseLease, [place.name, place.audience, holder])
}

const expireToken = `
update fibric.oauth_token
   set expires_at = clock_timestamp(), refresh_at = clock_timestamp()
 where name = $1 and audience = $2 and version = $3`

/** A token the provider does not take any more. */
export async function expireTokenVersion(tx: Transaction, place: TokenPlace, version: number): Promise<void> {
  await tx.query(expireToken, [place.name, place.audience, version])
}
