import type { ActionId, Address, Digest, TenantId } from '../domain/ids.ts'
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

export interface RegistrationRow {
  readonly tenant_id: TenantId
  readonly address: Address
  readonly event_type: string
  readonly wish: string
  readonly rules: string
  readonly connector: Address
  readonly connection_digest: Digest
  readonly connector_digest: Digest
  readonly action_id: ActionId
  readonly ended_by: ActionId | null
  /** How the registering action stands; null where it is gone. */
  readonly state: string | null
  readonly cause: string | null
}

const selectRegistrations = `
select r.*, a.state, a.cause
  from fibric.connection_registration r
  left join fibric.action a on a.tenant_id = r.tenant_id and a.action_id = r.action_id
 where r.tenant_id = any($1)`

export function readRegistrations(tx: Transaction, tenants: readonly TenantId[]): Promise<RegistrationRow[]> {
  return tx.query<RegistrationRow>(selectRegistrations, [tenants])
}

// Of two controllers that see the same wish at once, one writes it down: the other finds it there, and changes no row.
const upsertRegistration = `
insert into fibric.connection_registration as r
       (tenant_id, address, event_type, wish, rules, connector, connection_digest, connector_digest, action_id, made_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
    on conflict (tenant_id, address, event_type) do update
   set wish = excluded.wish, rules = excluded.rules, connector = excluded.connector, ended_by = null,
       connection_digest = excluded.connection_digest, connector_digest = excluded.connector_digest,
       action_id = excluded.action_id, made_at = excluded.made_at
 where (r.wish, r.rules) is distinct from (excluded.wish, excluded.rules) or r.ended_by is not null`

/** False when somebody else did it. */
export async function writeRegistration(
  tx: Transaction,
  row: Omit<RegistrationRow, 'state' | 'cause' | 'ended_by'>,
  now: string,
): Promise<boolean> {
  const { tenant_id, address, event_type, wish, rules, connector, connection_digest, connector_digest, action_id } = row
  const place = [tenant_id, address, event_type, wish, rules, connector]
  return (await tx.execute(upsertRegistration, [...place, connection_digest, connector_digest, action_id, now])) === 1
}

const endRegistrationOf = `
update fibric.connection_registration
   set ended_by = $4
 where tenant_id = $1 and address = $2 and event_type = $3 and ended_by is null`

export async function endRegistration(
  tx: Transaction,
  { tenant_id, address, event_type }: RegistrationRow,
  by: ActionId,
): Promise<boolean> {
  return (await tx.execute(endRegistrationOf, [tenant_id, address, event_type, by])) === 1
}

const deleteRegistration = `
delete from fibric.connection_registration where tenant_id = $1 and address = $2 and event_type = $3`

/** Nothing is to be undone at the provider. */
export async function forgetRegistration(
  tx: Transaction,
  { tenant_id, address, event_type }: RegistrationRow,
): Promise<void> {
  await tx.execute(deleteRegistration, [tenant_id, address, event_type])
}

export interface DrillRow {
  readonly tenant_id: TenantId
  readonly connector_digest: Digest
  readonly capability: string
  readonly effect: string
  readonly passed: boolean
  readonly connection: Address
  readonly person: string
  readonly drilled_at: string
}

const upsertDrill = `
insert into fibric.connection_drill as d
       (tenant_id, connector_digest, capability, effect, passed, connection, person, drilled_at)
values ($1, $2, $3, $4, $5, $6, $7, $8)
    on conflict (tenant_id, connector_digest, capability) do update
   set effect = excluded.effect, passed = excluded.passed, connection = excluded.connection, person = excluded.person,
       drilled_at = excluded.drilled_at`

/** What a drill found out: the newest word on a tool of a connector's version. */
export async function writeDrill(tx: Transaction, drill: DrillRow): Promise<void> {
  const { tenant_id, connector_digest, capability, effect, passed, connection, person, drilled_at } = drill
  await tx.execute(upsertDrill, [
    ...[tenant_id, connector_digest, capability, effect],
    ...[passed, connection, person, drilled_at],
  ])
}

const selectDrill = `
select *
  from fibric.connection_drill
 where tenant_id = $1 and connector_digest = $2 and capability = $3`

export async function readDrill(
  tx: Transaction,
  tenantId: TenantId,
  connectorDigest: Digest,
  capability: string,
): Promise<DrillRow | null> {
  const [row = null] = await tx.query<DrillRow>(selectDrill, [tenantId, connectorDigest, capability])
  return row
}
