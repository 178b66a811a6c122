import { randomBytes } from 'node:crypto'
import { formatDecimal, parseDecimal } from '../../domain/decimal.ts'
import { digestJson } from '../../domain/digest.ts'
import { parseDurationMs } from '../../domain/duration.ts'
import type { Principal } from '../../domain/identity.ts'
import { type ActionId, type Digest, mintId, type PlanId, type ReceiptId } from '../../domain/ids.ts'
import { isJsonObject, type Json, type JsonObject } from '../../domain/json.ts'
import { isKeepable, isKeepableJson, keepableJson, keepableText } from '../../domain/keepable.ts'
import type { TenantFacts } from '../../domain/rules.ts'
import type { DomainRow } from '../../store/domains.ts'
import type { NewEffect } from '../../store/effects.ts'
import type { Bound, EffectConnector, Pinned, PlannedEffect } from './connector.ts'
import { type EffectClass, type EffectFacts, effectOf } from './effect.ts'
import { effectReceipt } from './receipts.ts'

/** What a proposer gives: a capability, its arguments, and the order. The rest is an author's reviewed word, or computed. */
export interface Proposal {
  readonly capability: string
  readonly args: JsonObject
  /** Counts where the tool declares no value: decimal text. */
  readonly value?: string | null
  readonly key?: string | null
  readonly withinMs?: number | null
  /** Indexes of proposals that must come first; absent: the one before; empty: none. */
  readonly after?: readonly number[]
}

/** Everything an ExecutionPlan of effects is made from. */
export interface PlanDraft {
  readonly domain: DomainRow
  readonly planId: PlanId
  readonly runId: string | null
  readonly proposer: Principal
  /** Name and id of the operator that proposes; null for a person's own proposal. */
  readonly operator: { readonly name: string; readonly id: string } | null
  readonly correlationId: string
  readonly eventId: string | null
  /** The last part of default idempotency keys. */
  readonly eventKey: string
  /** The envelope, as rules see it. */
  readonly event: JsonObject | null
  readonly tenant: TenantFacts
  readonly source: JsonObject
  /** Address of the model whose answer proposes; null when none does. */
  readonly model: string | null
  /** Absent and null: unrated. */
  readonly modelRating?: string | null
  readonly compensates: ReceiptId | null
  /** Null: any. */
  readonly capabilities: readonly string[] | null
  readonly connection?: string | null
  /** Content other than what is applied now: of a connection that has gone. */
  readonly pinned?: Pinned
  readonly proposals: readonly Proposal[]
}

const retryForMsDefault = 3_600_000
const keyWindowMsDefault = 24 * 3_600_000
const timeoutMsDefault = 30_000
/** What an index entry of PostgreSQL holds with room to spare, whatever characters they are. */
const entityKeyMax = 512
const idempotencyKeyMax = 512

/**
 * Validates each proposal and computes what no proposer gives: connection, tool, value, entity and key. What does not fit
 * ends `rejected` at once, with its receipt, and what was to come after it `skipped`.
 */
export async function draftEffects(connector: EffectConnector, draft: PlanDraft, now: Date): Promise<NewEffect[]> {
  const effects: NewEffect[] = []
  const keys = new Map<string, Digest[]>()
  for (const [ordinal, proposal] of draft.proposals.entries()) {
    const place = { ordinal, actionId: mintId('action', now.getTime(), randomBytes(10)) as ActionId }
    const after = (proposal.after ?? (ordinal === 0 ? [] : [ordinal - 1])).flatMap((index) => effects[index] ?? [])
    const fitted = await bindProposal(connector, draft, proposal)
    if ('problem' in fitted) {
      effects.push(ended(draft, proposal, place, after, 'rejected', fitted.problem, now))
      continue
    }
    const refused = after.find((each) => each.receipt !== null)
    if (refused) {
      const cause = `\`${refused.capability}\` (${refused.actionId}) ended ${refused.state}`
      effects.push(ended(draft, proposal, place, after, 'skipped', cause, now))
      continue
    }
    effects.push(accepted(draft, proposal, place, after, fitted, keys, now))
  }
  const followed = new Set(effects.flatMap((each) => each.after))
  return effects.map((each) => ({ ...each, effect: { ...each.effect, followed: followed.has(each.actionId) } }))
}

type Fitted = { readonly bound: Bound; readonly planned: PlannedEffect } | { readonly problem: string }

async function bindProposal(
  connector: EffectConnector,
  draft: PlanDraft,
  { capability, args }: Proposal,
): Promise<Fitted> {
  if (!isKeepableJson(args)) return { problem: 'args: hold U+0000 or half a surrogate pair, which cannot be kept' }
  if (draft.capabilities !== null && !draft.capabilities.includes(capability)) {
    return { problem: `\`${capability}\` is not among the operator's capabilities` }
  }
  const bound = await connector.resolve(
    draft.domain.tenant_id,
    capability,
    draft.connection ?? null,
    draft.pinned ?? null,
  )
  if (bound.kind === 'unbound') return { problem: bound.reason }
  if (classOf(bound.tool) === 'read') return { problem: `\`${capability}\` is a read: it is sensed, never proposed` }
  const planned = connector.plan(bound, args)
  if ('problem' in planned) return planned
  if (!isKeepable(planned.entityKey) || planned.entityKey.length > entityKeyMax) {
    return { problem: `its entity key is no text of up to ${entityKeyMax} characters` }
  }
  return { bound, planned }
}

interface Place {
  readonly ordinal: number
  readonly actionId: ActionId
}

function accepted(
  draft: PlanDraft,
  proposal: Proposal,
  { ordinal, actionId }: Place,
  after: readonly NewEffect[],
  { bound, planned }: { readonly bound: Bound; readonly planned: PlannedEffect },
  keys: Map<string, Digest[]>,
  now: Date,
): NewEffect {
  const argsDigest = digestJson(proposal.args)
  const value = planned.value ?? proposedValue(proposal)
  const facts: EffectFacts = {
    ...boundFacts(bound, planned),
    value,
    argsDigest,
    authored: typeof proposal.key === 'string',
    withinMs: proposal.withinMs ?? null,
    followed: false,
    ...proposedBy(draft),
  }
  return {
    actionId,
    planId: draft.planId,
    ordinal,
    capability: proposal.capability,
    connection: bound.connectionRole,
    tool: bound.toolName,
    entityKey: planned.entityKey,
    idempotencyKey: keyOf(draft, proposal, planned.entityKey, argsDigest, keys),
    tier: planned.tier,
    args: proposal.args,
    gateInput: gateInput(draft, proposal, bound.connectionRole, planned.entityKey, value, planned.tier, now),
    effect: facts as unknown as JsonObject,
    after: after.map((each) => each.actionId),
    state: 'planned',
    cause: after.length > 0 ? `waits for ${after.map((each) => each.actionId).join(', ')}` : null,
    receipt: null,
    ready: after.length === 0,
  }
}

/** What an action is sent by, and how: of the connector and the connection that are in force. */
export function boundFacts(bound: Bound, planned: PlannedEffect): BoundFacts {
  return {
    connection: bound.connection,
    connector: bound.connector,
    connectorDigest: bound.connectorDigest,
    connectionDigest: bound.connectionDigest,
    requestDigest: planned.requestDigest,
    method: planned.request.method,
    class: classOf(bound.tool),
    keyWindowMs: durationAt(bound.tool.keyWindow, keyWindowMsDefault),
    retryForMs: durationAt(isJsonObject(bound.tool.retry) ? bound.tool.retry.for : undefined, retryForMsDefault),
    timeoutMs: durationAt(isJsonObject(bound.tool.http) ? bound.tool.http.timeout : undefined, timeoutMsDefault),
    continues: bound.tool.onUnknown === 'continue',
  }
}

type BoundFacts = Pick<
  EffectFacts,
  | ('connection' | 'connector' | 'connectorDigest' | 'connectionDigest' | 'requestDigest' | 'method')
  | ('class' | 'keyWindowMs' | 'retryForMs' | 'timeoutMs' | 'continues')
>

/** `<operator id>:<entity>:<capability>:<event key>`, `#2` and on for others of one plan; an author's key is the last part. */
function keyOf(
  draft: PlanDraft,
  { capability, key }: Proposal,
  entity: string,
  args: Digest,
  keys: Map<string, Digest[]>,
): string {
  const owner = draft.operator?.id ?? `${draft.proposer.kind}:${draft.proposer.name}`
  const base = bounded(`${owner}:${entity}:${capability}:${key ?? draft.eventKey}`)
  if (typeof key === 'string') return base
  const known = keys.get(base) ?? []
  if (!known.includes(args)) known.push(args)
  keys.set(base, known)
  const nth = known.indexOf(args) + 1
  return nth === 1 ? base : `${base}#${nth}`
}

/** A key of any length as one that an index holds: equal for equal ones. */
function bounded(key: string): string {
  const kept = keepableText(key, Number.POSITIVE_INFINITY)
  return kept === key && key.length <= idempotencyKeyMax ? key : `${kept.slice(0, 256)}:${digestJson([kept])}`
}

/** An action that ends where it begins. */
function ended(
  draft: PlanDraft,
  { capability, ...given }: Proposal,
  { ordinal, actionId }: Place,
  after: readonly NewEffect[],
  state: 'rejected' | 'skipped',
  cause: string,
  now: Date,
): NewEffect {
  // Recorded with what it was refused for, as far as that can be kept.
  const proposal = { ...given, capability: keepableText(capability, 256), args: keepableJson(given.args) }
  const facts: EffectFacts = {
    connection: null,
    connector: null,
    connectorDigest: null,
    connectionDigest: null,
    requestDigest: null,
    method: null,
    value: null,
    argsDigest: digestJson(proposal.args),
    authored: false,
    withinMs: null,
    class: 'blind',
    keyWindowMs: 0,
    retryForMs: 0,
    timeoutMs: 0,
    continues: false,
    followed: false,
    ...proposedBy(draft),
  }
  const effect = {
    actionId,
    planId: draft.planId,
    ordinal,
    capability: proposal.capability,
    connection: '',
    tool: proposal.capability,
    entityKey: proposal.capability,
    idempotencyKey: `${actionId}`,
    tier: 0,
    args: proposal.args,
    gateInput: gateInput(draft, proposal, '', proposal.capability, null, 0, now),
    effect: facts as unknown as JsonObject,
    after: after.map((each) => each.actionId),
    state,
    cause,
    ready: false,
  } as const
  return { ...effect, receipt: effectReceipt(asEffect(draft, effect, now), { state, cause }, now) }
}

/** An action as it would stand in its table. */
export function asEffect(draft: PlanDraft, effect: Omit<NewEffect, 'receipt'>, now: Date) {
  const at = now.toISOString()
  return effectOf({
    tenant_id: draft.domain.tenant_id,
    reseller_id: draft.domain.reseller_id,
    action_id: effect.actionId,
    plan_id: effect.planId,
    ordinal: effect.ordinal,
    capability: effect.capability,
    connection: effect.connection,
    tool: effect.tool,
    entity_key: effect.entityKey,
    idempotency_key: effect.idempotencyKey,
    tier: effect.tier,
    change: null,
    change_digest: null,
    args: effect.args,
    authors: [],
    gate_input: effect.gateInput,
    verdict: null,
    policy_digest: null,
    after: effect.after as never,
    cause: effect.cause,
    state: effect.state,
    attempts: 0,
    created_at: at,
    state_at: at,
    expires_at: null,
    receipt_id: null,
    effect: effect.effect,
    attempt: null,
    fence: null,
    intent_at: null,
    correlation_id: draft.correlationId,
    event_id: draft.eventId,
    source: draft.source,
    proposer: draft.proposer as unknown as JsonObject,
  })
}

function proposedBy(draft: PlanDraft): Pick<EffectFacts, 'operator' | 'runId' | 'model' | 'compensates'> {
  return {
    operator: draft.operator?.name ?? null,
    runId: draft.runId,
    model: draft.model,
    compensates: draft.compensates,
  }
}

/** What the gate will be asked about, kept so that the decision can be replayed through other rules. */
function gateInput(
  draft: PlanDraft,
  { capability, args }: Proposal,
  connection: string,
  entity: string,
  value: EffectFacts['value'],
  tier: number,
  now: Date,
): JsonObject {
  return {
    action: {
      capability,
      connection,
      entity,
      value,
      tier,
      args,
      proposer: { kind: draft.proposer.kind, name: draft.proposer.name },
      operator: draft.operator?.name ?? null,
      change: 'none',
      model: draft.model,
      modelRating: draft.modelRating ?? null,
    },
    envelope: {
      event: draft.event === null ? null : keepableJson(draft.event),
      tenant: draft.tenant as unknown as JsonObject,
      now: now.getTime(),
    },
    facts: { counters: {} },
  }
}

export function classOf(tool: JsonObject): EffectClass {
  const effect = tool.effect
  if (tool.tier === 0 || effect === 'read' || tool.sideEffecting === false) return 'read'
  return (typeof effect === 'string' ? effect : 'blind') as EffectClass
}

function proposedValue({ value }: Proposal): EffectFacts['value'] {
  const amount = typeof value === 'string' ? parseDecimal(value) : null
  return amount === null ? null : { amount: formatDecimal(amount), currency: null }
}

function durationAt(text: Json | undefined, otherwise: number): number {
  return (typeof text === 'string' ? parseDurationMs(text) : null) ?? otherwise
}
