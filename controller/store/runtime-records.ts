import type { Address, TenantId } from '../domain/ids.ts'
import type { Transaction } from './tenancy.ts'

/** Records that people make beside git: never drift, never undone by an apply. */
export interface SuspensionRow {
  readonly tenant_id: TenantId
  readonly address: Address
  readonly reason: string
  readonly person: string
  readonly created_at: string
  readonly until: string
}

const selectSuspensions = `select * from fibric.suspension where until > $1 order by address`

export function readSuspensions(tx: Transaction, now: string): Promise<SuspensionRow[]> {
  return tx.query<SuspensionRow>(selectSuspensions, [now])
}

const upsertSuspension = `
insert into fibric.suspension (tenant_id, address, reason, person, created_at, until)
values ($1, $2, $3, $4, $5, $6)
    on conflict (tenant_id, address) do update
   set reason = excluded.reason, person = excluded.person, created_at = excluded.created_at, until = excluded.until`

export async function writeSuspension(tx: Transaction, suspension: SuspensionRow): Promise<void> {
  const { tenant_id, address, reason, person, created_at, until } = suspension
  await tx.query(upsertSuspension, [tenant_id, address, reason, person, created_at, until])
}

const deleteSuspension = `delete from fibric.suspension where address = $1 returning address`

/** False when the address was not suspended. */
export async function removeSuspension(tx: Transaction, address: Address): Promise<boolean> {
  return (await tx.query(deleteSuspension, [address])).length === 1
}

export interface BreakGlassRow {
  readonly break_glass_id: string
  readonly reason: string
  readonly person: string
  readonly until: string
}

const selectBreakGlass = `
select break_glass_id, reason, person, until
  from fibric.break_glass
 where until > $1
 order by until desc`

export async function readBreakGlass(tx: Transaction, now: string): Promise<BreakGlassRow | null> {
  const rows = await tx.query<BreakGlassRow>(selectBreakGlass, [now])
  return rows[0] ?? null
}

const insertBreakGlass = `
insert into fibric.break_glass (break_glass_id, reason, person, created_at, until)
values ($1, $2, $3, $4, $5)`

export async function writeBreakGlass(tx: Transaction, record: BreakGlassRow, now: string): Promise<void> {
  await tx.query(insertBreakGlass, [record.break_glass_id, record.reason, record.person, now, record.until])
}
