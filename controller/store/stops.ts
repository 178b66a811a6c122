import type { TenantId } from '../domain/ids.ts'
import type { Transaction } from './tenancy.ts'

export type StopScope = 'tenant' | 'operator' | 'capability' | 'connection'

/** A person's stop: it outranks every rule and is read in the statement that claims. */
export interface StopRow {
  readonly tenant_id: TenantId
  readonly stop_id: string
  readonly scope: StopScope
  /** Of the operator, the capability's glob or the Connection's address; of a tenant its id. */
  readonly name: string
  /** The glob as the database matches it. */
  readonly pattern: string | null
  readonly reason: string
  readonly person: string
  readonly created_at: string
  readonly ended_at: string | null
  readonly ended_by: string | null
}

const insertStop = `
insert into fibric.stop (tenant_id, stop_id, scope, name, pattern, reason, person, created_at)
values ($1, $2, $3, $4, $5, $6, $7, $8)
    on conflict (tenant_id, scope, name) where ended_at is null do nothing
returning stop_id`

/** False when the same thing is stopped already. */
export async function writeStop(tx: Transaction, stop: Omit<StopRow, 'ended_at' | 'ended_by'>): Promise<boolean> {
  const { tenant_id, stop_id, scope, name, pattern, reason, person, created_at } = stop
  const rows = await tx.query(insertStop, [tenant_id, stop_id, scope, name, pattern, reason, person, created_at])
  return rows.length === 1
}

const endStops = `
update fibric.stop
   set ended_at = $4, ended_by = $5
 where tenant_id = $1
   and scope = $2
   and name = $3
   and ended_at is null
returning stop_id`

export async function endStop(
  tx: Transaction,
  stop: Pick<StopRow, 'tenant_id' | 'scope' | 'name'>,
  person: string,
  now: string,
): Promise<string | null> {
  const rows = await tx.query<{ stop_id: string }>(endStops, [stop.tenant_id, stop.scope, stop.name, now, person])
  return rows[0]?.stop_id ?? null
}

const selectStops = `
select *
  from fibric.stop
 where tenant_id = any($1)
   and ended_at is null
 order by created_at`

/** The stops in force. */
export function readStops(tx: Transaction, tenants: readonly TenantId[]): Promise<StopRow[]> {
  return tx.query<StopRow>(selectStops, [tenants])
}

// As the claim's statement finds it.
const selectStopOf = `
select *
  from fibric.stop s
 where s.tenant_id = $1
   and s.ended_at is null
   and case s.scope when 'tenant' then true when 'operator' then s.name = $2 when 'connection' then s.name = $3 else $4 ~ s.pattern end
 order by s.created_at
 limit 1`

/** The stop that keeps an effect from being taken on, if any does. */
export async function findStop(
  tx: Transaction,
  tenant: TenantId,
  effect: { readonly operator: string | null; readonly connection: string | null; readonly capability: string },
): Promise<StopRow | null> {
  const [row] = await tx.query<StopRow>(selectStopOf, [tenant, effect.operator, effect.connection, effect.capability])
  return row ?? null
}

const wake = `
update fibric.effect_queue
   set due_at = now(), stopped = false
 where tenant_id = $1
   and stopped
   and due_at < 'infinity'`

/** What was found stopped is looked at again at once, in its old place among those that wait for the same entity. */
export async function wakeStopped(tx: Transaction, tenant: TenantId): Promise<void> {
  await tx.query(wake, [tenant])
}
