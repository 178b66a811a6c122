import { randomBytes } from 'node:crypto'
import type { ActionState } from '../../domain/action-machine.ts'
import { mintId, type ReceiptId } from '../../domain/ids.ts'
import type { JsonObject } from '../../domain/json.ts'
import { controlEntry, type LedgerEntry, receiptEntry } from '../../domain/receipt.ts'
import type { ApprovalRow } from '../../store/approvals.ts'
import { type AttemptFacts, type Effect, proposerOfPlan } from './effect.ts'

/** How an action ended, where its row does not say it yet. */
export interface End {
  readonly state: ActionState
  readonly cause: string | null
  readonly verdict?: JsonObject | null
  readonly attempt?: AttemptFacts | null
  readonly attempts?: number
  readonly approvals?: readonly ApprovalRow[]
}

/** The one receipt of an effect. */
export function effectReceipt(effect: Effect, end: End, now: Date): LedgerEntry {
  const { row, facts } = effect
  const attempt = end.attempt === undefined ? effect.attempt : end.attempt
  return receiptEntry({
    receiptId: newReceiptId(now),
    tenantId: row.tenant_id,
    resellerId: row.reseller_id,
    correlationId: row.correlation_id,
    eventId: row.event_id,
    planId: row.plan_id,
    configPlanId: null,
    actionId: row.action_id,
    proposer: proposerOfPlan(row),
    authors: row.authors,
    connection: row.connection,
    tool: row.tool,
    capability: row.capability,
    entityKey: row.entity_key,
    idempotencyKey: row.idempotency_key,
    argsDigest: facts.argsDigest,
    verdict: end.verdict ?? row.verdict,
    outcome: end.state,
    cause: end.cause,
    approvals: (end.approvals ?? []).map(approvalJson),
    source: {
      ...row.source,
      connection: facts.connection,
      connection_digest: facts.connectionDigest,
      connector: facts.connector,
      connector_digest: facts.connectorDigest,
    },
    attempts: end.attempts ?? row.attempts,
    proposedAt: row.created_at,
    endedAt: now.toISOString(),
    change: null,
    effect: {
      credential: attempt?.credential ?? null,
      intentAt: row.intent_at,
      requestDigest: facts.requestDigest,
      responseDigest: attempt?.responseDigest ?? null,
      compensates: facts.compensates,
    },
  })
}

/** An entry about an action that has no receipt yet, or has had it: a doubt, a resolution, an answer that came too late. */
export function effectEntry(
  { row }: Pick<Effect, 'row'>,
  kind: 'action.doubt' | 'action.observed_late' | `control.action.${string}`,
  person: string,
  details: JsonObject,
  now: Date,
): LedgerEntry {
  return controlEntry(newReceiptId(now), kind, {
    tenantId: row.tenant_id,
    person,
    at: now.toISOString(),
    details: { action_id: row.action_id, capability: row.capability, entity: row.entity_key, ...details },
  })
}

export function newReceiptId(now: Date): ReceiptId {
  return mintId('receipt', now.getTime(), randomBytes(10)) as ReceiptId
}

function approvalJson(row: ApprovalRow): JsonObject {
  return {
    person: row.person,
    decision: row.decision,
    roles: row.roles,
    reason: row.reason,
    signature: row.signature,
    at: row.created_at,
  }
}
