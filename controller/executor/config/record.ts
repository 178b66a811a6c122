import { nextState } from '../../domain/action-machine.ts'
import { kindOf } from '../../domain/address.ts'
import { holdExpiryMs } from '../../domain/approvals.ts'
import { canonicalBytes } from '../../domain/canonical-json.ts'
import { capabilityOf, idempotencyKeyOf, verbOf } from '../../domain/change.ts'
import { configConnection } from '../../domain/config-action.ts'
import { digestJson } from '../../domain/digest.ts'
import type { ActionId, Digest, ReceiptId, Slug } from '../../domain/ids.ts'
import type { Json, JsonObject } from '../../domain/json.ts'
import type { PlannedChange } from '../../domain/plan.ts'
import { type LedgerEntry, receiptEntry } from '../../domain/receipt.ts'
import { saysProtected } from '../../domain/resource.ts'
import type { ActionRow } from '../../store/actions.ts'
import type { ApprovalRow } from '../../store/approvals.ts'
import type { ContentWrite } from '../../store/contents.ts'
import type { DomainRow } from '../../store/domains.ts'
import type { ObjectWrite } from '../../store/objects.ts'
import { proposerOf } from './answers.ts'
import type { Disposition } from './decide.ts'
import { type ChangeOutcome, type Item, newId, planIdOf, type Run } from './run.ts'

/** A disposition as rows: what the batch's transaction writes for it. */
export interface Written {
  readonly change: PlannedChange
  /** False when the action waited before and moves on. */
  readonly fresh: boolean
  readonly action: Omit<ActionRow, 'tenant_id'>
  readonly receipt: LedgerEntry | null
  readonly object: ObjectWrite | null
  readonly contents: readonly ContentWrite[]
}

const states = { applied: 'applied', blocked: 'blocked', held: 'held', skipped: 'skipped', planned: 'planned' } as const
type WrittenFate = keyof typeof states

/** Null for fates that write nothing, and for a wait that goes on as it was. */
export function writtenOf(
  run: Run,
  domain: DomainRow,
  disposition: Disposition,
  ordinal: number,
  now: Date,
): Written | null {
  const { item, fate } = disposition
  if (!isWritten(fate)) return null
  if (item.existing && goesOn(item.existing, disposition)) return null
  const at = now.toISOString()
  const receiptId = fate === 'held' || fate === 'planned' ? null : newId<ReceiptId>('receipt', now)
  const action = actionOf(run, domain.slug, disposition, fate, receiptId, ordinal, now)
  return {
    change: item.change,
    fresh: item.existing === null,
    action,
    receipt: receiptId && receiptEntry(receiptFactsOf(run, domain, item, action, receiptId, at)),
    object: fate === 'applied' ? objectOf(run, item, receiptId!, now) : null,
    // A held change keeps what it will need: the repository may have moved on by the time it is approved.
    contents: fate === 'applied' || fate === 'held' || fate === 'planned' ? contentsOf(item) : [],
  }
}

function isWritten(fate: Disposition['fate']): fate is WrittenFate {
  return Object.hasOwn(states, fate)
}

/** A second pass over a waiting change writes nothing, unless the rules now ask for something else. */
function goesOn(existing: ActionRow, { fate, judged }: Disposition): boolean {
  if (fate !== existing.state) return false
  return judged === null || judged.verdict.policy_digest === existing.policy_digest
}

function actionOf(
  run: Run,
  slug: Slug,
  { item, judged, reasons }: Disposition,
  fate: WrittenFate,
  receiptId: ReceiptId | null,
  ordinal: number,
  now: Date,
): Omit<ActionRow, 'tenant_id'> {
  const { change, existing } = item
  const at = now.toISOString()
  const held = fate === 'held' && judged
  const waitMs = held ? holdExpiryMs(judged.verdict.holds, run.approvalsExpireInMs) : 0
  return {
    action_id: existing?.action_id ?? newId<ActionId>('action', now),
    plan_id: existing?.plan_id ?? planIdOf(run, slug, now),
    ordinal: existing?.ordinal ?? ordinal,
    capability: capabilityOf(change),
    connection: configConnection,
    tool: capabilityOf(change),
    entity_key: change.address,
    idempotency_key: idempotencyKeyOf(change),
    tier: verbOf(change) === 'delete' ? 2 : 1,
    change: changeJson(change),
    change_digest: change.digest,
    args: existing?.args ?? argsOf(change),
    authors: change.authors as unknown as readonly JsonObject[],
    gate_input: judged ? gateInputOf(judged) : (existing?.gate_input ?? proposedBy(run)),
    verdict: judged ? (judged.verdict as unknown as JsonObject) : (existing?.verdict ?? null),
    policy_digest: judged?.verdict.policy_digest ?? existing?.policy_digest ?? null,
    after: change.after,
    cause: fate === 'skipped' || fate === 'planned' ? (reasons[0] ?? null) : null,
    state: stateAfter(existing, fate),
    attempts: fate === 'applied' ? 1 : 0,
    created_at: existing?.created_at ?? at,
    state_at: at,
    expires_at: held
      ? (existing?.expires_at ?? new Date(now.getTime() + waitMs).toISOString())
      : (existing?.expires_at ?? null),
    receipt_id: receiptId,
  }
}

/** Every step goes through the one state machine: a step that it does not know is a defect, never written. */
function stateAfter(existing: ActionRow | null, fate: WrittenFate): ActionRow['state'] {
  const from = existing?.state ?? 'planned'
  if (fate === from) return from
  const steps = { applied: 'intend', blocked: 'block', held: 'hold', skipped: 'skip', planned: 'hold' } as const
  const next = nextState(from, steps[fate])
  const end = next === 'intent' ? nextState(next, 'succeed') : next
  if (end !== states[fate]) throw new TypeError(`an action cannot go from ${from} to ${fate}`)
  return end
}

/** The change as it was planned, with everything that carrying it out later needs. */
function argsOf(change: PlannedChange): JsonObject {
  const { verdict: _verdict, standing: _standing, ...kept } = change
  return kept as unknown as JsonObject
}

/** The planned change a waiting action was made from. */
export function changeOfAction(action: ActionRow): PlannedChange {
  const change = action.args as unknown as PlannedChange
  return { ...change, verdict: action.verdict ?? {}, standing: { kind: 'waiting', actionId: action.action_id } }
}

function gateInputOf(judged: NonNullable<Disposition['judged']>): JsonObject {
  const { action, envelope, facts } = judged
  return { action: action as unknown as Json, envelope: envelope as unknown as Json, facts: facts as unknown as Json }
}

function proposedBy(run: Run): JsonObject {
  return { action: { proposer: { kind: run.actor.principal.kind, name: run.actor.principal.name } } }
}

function changeJson(change: PlannedChange): JsonObject {
  return {
    address: change.address,
    address_before: change.addressBefore,
    generation_before: change.generationBefore,
    digest_before: change.digestBefore,
    digest_after: change.digestAfter,
  }
}

/** The receipt of a configuration action that ended, whoever ended it. */
export function receiptFactsOf(
  run: Pick<Run, 'correlationId' | 'configPlanId' | 'source'>,
  domain: DomainRow,
  item: Pick<Item, 'change' | 'approvals'>,
  action: Omit<ActionRow, 'tenant_id'>,
  receiptId: ReceiptId,
  at: string,
) {
  const { change } = item
  return {
    receiptId,
    tenantId: domain.tenant_id,
    resellerId: domain.reseller_id,
    correlationId: run.correlationId,
    eventId: null,
    planId: action.plan_id,
    configPlanId: run.configPlanId,
    actionId: action.action_id,
    proposer: proposerOf(action),
    authors: action.authors,
    connection: action.connection,
    tool: action.tool,
    capability: action.capability,
    entityKey: action.entity_key,
    idempotencyKey: action.idempotency_key,
    argsDigest: digestJson(changeJson(change)),
    verdict: action.verdict,
    outcome: action.state,
    cause: action.cause,
    approvals: item.approvals.map(approvalJson),
    source: { ...run.source, path: change.source?.path ?? null, line: change.source?.line ?? null },
    attempts: action.attempts,
    proposedAt: action.created_at,
    endedAt: at,
    change: {
      address: change.address,
      addressBefore: change.addressBefore,
      verb: change.heals ? ('heal' as const) : verbOf(change),
      generationBefore: change.generationBefore,
      generation: action.state === 'applied' ? change.generationBefore + 1 : null,
      digestBefore: change.digestBefore,
      digestAfter: change.digestAfter,
      changeDigest: change.digest,
      authority: change.authority as unknown as JsonObject,
    },
  }
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

function objectOf(run: Run, { change, material }: Item, receiptId: ReceiptId, now: Date): ObjectWrite {
  return {
    address: change.address,
    objectId: newId<string>('object', now),
    kind: kindOf(change.address),
    generation: change.generationBefore + 1,
    digest: change.digestAfter,
    receiptId,
    labels: (material.content?.metadata.labels ?? {}) as JsonObject,
    refs: change.references,
    source: (change.source ?? {}) as unknown as JsonObject,
    commit: commitOf(run),
    deletionProtection: saysProtected(material.content),
  }
}

/** The commit a run takes its desired state from, if it is one. */
export function commitOf(run: Pick<Run, 'source'>): string | null {
  const { commit } = run.source
  return typeof commit === 'string' ? commit : null
}

export function outcomeOf({ item, fate, reasons }: Disposition, written: Written | null): ChangeOutcome {
  const { change, existing } = item
  const waiting = change.standing.kind === 'waiting' ? change.standing.actionId : null
  const settled = change.standing.kind === 'settled' ? change.standing.receiptId : null
  return {
    address: change.address,
    change,
    outcome: fate,
    actionId: written?.action.action_id ?? existing?.action_id ?? waiting,
    receiptId: written?.receipt?.id ?? settled,
    reasons,
  }
}

function contentsOf({ change, material }: Item): ContentWrite[] {
  const files = [...material.files].map(([digest, bytes]) => ({ digest, kind: 'file', bytes }))
  if (change.digestAfter === null || material.content === null) return files
  const bytes = canonicalBytes(material.content as unknown as Json)
  return [{ digest: change.digestAfter as Digest, kind: kindOf(change.address), bytes }, ...files]
}
