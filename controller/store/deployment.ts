import type { Digest } from '../domain/ids.ts'
import type { Transaction } from './tenancy.ts'

export interface DeploymentRow {
  readonly deployment_id: string
  readonly created_at: string
  readonly genesis_state: 'awaited' | 'open' | 'closed'
  /** Id of the first plan, kept from its first attempt until genesis closes. */
  readonly genesis_plan: Digest | null
  /** Digest over the `_platform` policies of the first plan: a second plan during genesis must keep them. */
  readonly genesis_policies: Digest | null
  readonly genesis_opened_at: string | null
}

const selectDeployment = `
select deployment_id, created_at, genesis_state, genesis_plan, genesis_policies, genesis_opened_at
  from fibric.deployment`

export async function readDeployment(tx: Transaction): Promise<DeploymentRow | null> {
  const rows = await tx.query<DeploymentRow>(selectDeployment)
  return rows[0] ?? null
}

const lockDeploymentRow = `${selectDeployment} for no key update`

export async function lockDeployment(tx: Transaction): Promise<DeploymentRow> {
  const rows = await tx.query<DeploymentRow>(lockDeploymentRow)
  return rows[0]!
}

const insertDeployment = `
insert into fibric.deployment (deployment_id, created_at, genesis_state)
values ($1, $2, 'awaited')
    on conflict do nothing`

export async function createDeployment(tx: Transaction, deploymentId: string, now: string): Promise<void> {
  await tx.query(insertDeployment, [deploymentId, now])
}

const openGenesisRow = `
update fibric.deployment
   set genesis_state = 'open', genesis_plan = $1, genesis_policies = $2, genesis_opened_at = coalesce(genesis_opened_at, $3)
 where genesis_state <> 'closed'`

export async function openGenesis(tx: Transaction, plan: Digest, policies: Digest, now: string): Promise<void> {
  await tx.query(openGenesisRow, [plan, policies, now])
}

const closeGenesisRow = `
update fibric.deployment
   set genesis_state = 'closed', genesis_closed_at = $1
 where genesis_state = 'open'
returning deployment_id`

/** True when this call is the one that closed it. */
export async function closeGenesis(tx: Transaction, now: string): Promise<boolean> {
  return (await tx.query(closeGenesisRow, [now])).length === 1
}

export interface SealedKeyRow {
  readonly key_id: string
  readonly public_key: Buffer | null
  readonly sealed: Buffer
}

const selectSealedKey = `
select key_id, public_key, sealed
  from fibric.sealed_key
 where purpose = $1
 order by created_at desc
 limit 1`

export async function readSealedKey(tx: Transaction, purpose: string): Promise<SealedKeyRow | null> {
  const rows = await tx.query<SealedKeyRow>(selectSealedKey, [purpose])
  return rows[0] ?? null
}

const insertSealedKey = `
insert into fibric.sealed_key (tenant_id, key_id, purpose, public_key, sealed, created_at)
values ('t_platform', $1, $2, $3, $4, $5)`

export async function writeSealedKey(
  tx: Transaction,
  key: { keyId: string; purpose: string; publicKey: Buffer; sealed: Buffer; now: string },
): Promise<void> {
  await tx.query(insertSealedKey, [key.keyId, key.purpose, key.publicKey, key.sealed, key.now])
}
