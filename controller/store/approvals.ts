import type { ActionId, Digest, TenantId } from '../domain/ids.ts'
import type { JsonObject } from '../domain/json.ts'
import type { Transaction } from './tenancy.ts'

export interface ApprovalRow {
  readonly tenant_id: TenantId
  readonly action_id: ActionId
  readonly person: string
  readonly decision: 'approve' | 'veto'
  readonly change_digest: Digest | null
  /** Slug of a domain → roles the person held there when answering. */
  readonly roles: JsonObject
  readonly reason: string | null
  readonly signature: string | null
  readonly key_id: string | null
  readonly created_at: string
}

const selectApprovals = `
select *
  from fibric.approval
 where tenant_id = any($1)
   and action_id = any($2)
 order by created_at, person`

export function readApprovals(
  tx: Transaction,
  tenants: readonly TenantId[],
  actions: readonly ActionId[],
): Promise<ApprovalRow[]> {
  return tx.query<ApprovalRow>(selectApprovals, [tenants, actions])
}

const insertApproval = `
insert into fibric.approval (tenant_id, reseller_id, action_id, person, decision, change_digest, roles, reason, signature, key_id, created_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
    on conflict (tenant_id, action_id, person) do nothing
returning person`

/** False when this person has answered for the action before: the first answer stands. */
export async function writeApproval(
  tx: Transaction,
  resellerId: string | null,
  approval: ApprovalRow,
): Promise<boolean> {
  const rows = await tx.query(insertApproval, [
    approval.tenant_id,
    resellerId,
    approval.action_id,
    approval.person,
    approval.decision,
    approval.change_digest,
    JSON.stringify(approval.roles),
    approval.reason,
    approval.signature,
    approval.key_id,
    approval.created_at,
  ])
  return rows.length === 1
}
