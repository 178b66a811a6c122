import type { ActionState } from './action-machine.ts'
import { canonicalBytes } from './canonical-json.ts'
import type { Principal } from './identity.ts'
import type { ActionId, Address, Digest, PlanId, ReceiptId, TenantId } from './ids.ts'
import type { JsonObject } from './json.ts'
import { leafHash } from './merkle.ts'

/** Bytes that enter the ledger: canonical JSON, and the leaf they are in the domain's tree. */
export interface LedgerEntry {
  readonly id: ReceiptId
  readonly kind: string
  readonly bytes: Buffer
  readonly leaf: Buffer
  /** Only on the receipt of an applied configuration change: the object it moved and the generation it reached. */
  readonly address: Address | null
  readonly generation: number | null
  /** The address that a rename left behind. */
  readonly vacates: Address | null
  /** The action that an entry other than its receipt speaks of. */
  readonly about: ActionId | null
}

export interface ChangeFacts {
  readonly address: Address
  readonly addressBefore: Address | null
  readonly verb: 'create' | 'update' | 'delete' | 'heal'
  readonly generationBefore: number
  /** The generation the object has now; null when the change was not carried out. */
  readonly generation: number | null
  readonly digestBefore: Digest | null
  readonly digestAfter: Digest | null
  readonly changeDigest: Digest
  readonly authority: JsonObject
}

export interface ReceiptFacts {
  readonly receiptId: ReceiptId
  readonly tenantId: TenantId
  readonly resellerId: string | null
  readonly correlationId: string
  readonly eventId: string | null
  readonly planId: PlanId
  readonly configPlanId: string | null
  readonly actionId: ActionId
  readonly proposer: Principal
  /** Everyone who wrote what is changed, with the User their signature proves, if any. */
  readonly authors: readonly JsonObject[]
  readonly connection: string
  readonly tool: string
  readonly capability: string
  readonly entityKey: string
  readonly idempotencyKey: string
  readonly argsDigest: Digest
  readonly verdict: JsonObject | null
  readonly outcome: ActionState
  /** Why it ended so, where the verdict does not say: the action it waited for, the error, the veto. */
  readonly cause: string | null
  readonly approvals: readonly JsonObject[]
  readonly source: JsonObject
  readonly attempts: number
  readonly proposedAt: string
  readonly endedAt: string
  readonly change: ChangeFacts | null
  /** Of an effect: what left, by whose credential, and what came back. */
  readonly effect?: EffectReceiptFacts
}

export interface EffectReceiptFacts {
  readonly credential: { readonly name: string; readonly version: number } | null
  readonly intentAt: string | null
  readonly requestDigest: Digest | null
  readonly responseDigest: Digest | null
  /** Receipt of the action that this one undoes. */
  readonly compensates: ReceiptId | null
}

/** The one receipt of an action in a terminal state; `schemas/receipt.json` is its contract. */
export function receiptEntry(facts: ReceiptFacts): LedgerEntry {
  const applied = facts.outcome === 'applied' ? facts.change : null
  return {
    ...ledgerEntry(facts.receiptId, 'receipt', receiptBody(facts)),
    address: applied?.address ?? null,
    generation: applied?.generation ?? null,
    vacates: applied?.addressBefore ?? null,
  }
}

/** An entry of another kind than a receipt: a control operation, an approval, a doubt. */
export function controlEntry(
  id: ReceiptId,
  kind: string,
  body: { readonly tenantId: TenantId; readonly person: string; readonly at: string; readonly details: JsonObject },
): LedgerEntry {
  const { action_id: about } = body.details
  const entry = ledgerEntry(id, kind, {
    v: 1,
    entry_id: id,
    kind,
    tenant_id: body.tenantId,
    person: body.person,
    at: body.at,
    details: body.details,
  })
  return { ...entry, about: typeof about === 'string' ? (about as ActionId) : null }
}

function ledgerEntry(id: ReceiptId, kind: string, body: JsonObject): LedgerEntry {
  const bytes = canonicalBytes(body)
  return { id, kind, bytes, leaf: leafHash(bytes), address: null, generation: null, vacates: null, about: null }
}

function receiptBody(facts: ReceiptFacts): JsonObject {
  return {
    v: 1,
    kind: 'receipt',
    receipt_id: facts.receiptId,
    tenant_id: facts.tenantId,
    reseller_id: facts.resellerId,
    correlation_id: facts.correlationId,
    event_id: facts.eventId,
    plan_id: facts.planId,
    config_plan_id: facts.configPlanId,
    action_id: facts.actionId,
    proposer: { kind: facts.proposer.kind, name: facts.proposer.name },
    authors: facts.authors,
    connection: facts.connection,
    tool: facts.tool,
    capability: facts.capability,
    entity_key: facts.entityKey,
    idempotency_key: facts.idempotencyKey,
    args_digest: facts.argsDigest,
    verdict: facts.verdict,
    outcome: facts.outcome,
    cause: facts.cause,
    approvals: facts.approvals,
    source: facts.source,
    attempts: facts.attempts,
    proposed_at: facts.proposedAt,
    ended_at: facts.endedAt,
    change: facts.change && changeBody(facts.change),
    ...(facts.effect && effectBody(facts.effect)),
  }
}

function effectBody(effect: EffectReceiptFacts): JsonObject {
  return {
    credential: effect.credential && { name: effect.credential.name, version: effect.credential.version },
    intent_at: effect.intentAt,
    request_digest: effect.requestDigest,
    response_digest: effect.responseDigest,
    compensates: effect.compensates,
  }
}

function changeBody(change: ChangeFacts): JsonObject {
  return {
    address: change.address,
    address_before: change.addressBefore,
    change: change.verb,
    generation_before: change.generationBefore,
    generation: change.generation,
    digest_before: change.digestBefore,
    digest_after: change.digestAfter,
    change_digest: change.changeDigest,
    authority: change.authority,
  }
}
