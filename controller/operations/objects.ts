import { kindOf } from '../domain/address.ts'
import { verbOf } from '../domain/change.ts'
import { countChanges, type Plan } from '../domain/plan.ts'
import type { ExecutionPlanRow } from '../store/execution-plans.ts'
import type { Applied } from './apply.ts'
import type { Guardrail } from './guardrails.ts'
import type { ImportedFile } from './import.ts'
import type { KeyInSight } from './keys.ts'
import type { Planned } from './plan.ts'
import type { Answered, ShownAction, ShownPlan } from './plans.ts'
import type { ShownEntry } from './receipts.ts'
import type { SecretInSight, WrittenSecret } from './secrets.ts'
import type { StateObject } from './state.ts'
import type { StopInForce } from './stops.ts'
import type { ShownTenant } from './tenants.ts'

export type ResourceShown = ReturnType<typeof stateJson>
export type ExecutionPlanShown = ReturnType<typeof executionPlanJson>
export type PlanShown = ReturnType<typeof shownPlanJson>
export type PlannedActionShown = ReturnType<typeof actionJson>
export type AnswerShown = ReturnType<typeof answeredJson>[number]
export type EntryShown = ReturnType<typeof receiptJson>
export type SecretShown = ReturnType<typeof secretJson>
export type WrittenSecretShown = ReturnType<typeof writtenSecretJson>
export type StopShown = ReturnType<typeof stopJson>
export type KeyShown = ReturnType<typeof keyJson>

/** The objects that the API answers and that commands print under `--json`: the same, whoever is asked. */
export interface ShownObject {
  readonly [field: string]: unknown
}

export function planJson(plan: Plan, brakes: Planned['brakes']) {
  return {
    object: 'plan',
    id: plan.id,
    deployment: plan.deployment,
    engine: plan.engine,
    genesis: plan.genesis,
    source: plan.source,
    created_at: plan.createdAt,
    expires_at: plan.expiresAt,
    counts: countChanges(plan.changes),
    changes: plan.changes.map((change) => ({
      address: change.address,
      address_before: change.addressBefore,
      change: verbOf(change),
      heals: change.heals,
      digest: change.digest,
      generation_before: change.generationBefore,
      digest_before: change.digestBefore,
      digest_after: change.digestAfter,
      standing: change.standing,
      authority: change.authority,
      verdict: change.verdict,
      authors: change.authors,
      source: change.source,
      after: change.after,
    })),
    read_set: plan.readSet,
    rules: plan.rules,
    drifted: plan.drifted,
    brakes,
    backtest: plan.backtest,
    warnings: plan.warnings,
  }
}

export type PlanObject = ReturnType<typeof planJson>

/** A plan out of its JSON, as far as it is shown: `planJson` the other way round. */
export function planFrom(json: PlanObject): Plan {
  return {
    id: json.id,
    deployment: json.deployment,
    engine: json.engine,
    genesis: json.genesis,
    source: json.source,
    createdAt: json.created_at,
    expiresAt: json.expires_at,
    changes: json.changes.map((change) => ({
      address: change.address,
      addressBefore: change.address_before,
      kind: kindOf(change.address),
      heals: change.heals,
      digest: change.digest,
      generationBefore: change.generation_before,
      digestBefore: change.digest_before,
      digestAfter: change.digest_after,
      standing: change.standing,
      authority: change.authority,
      verdict: change.verdict,
      authors: change.authors,
      source: change.source,
      references: [],
      after: change.after,
    })),
    readSet: json.read_set,
    rules: json.rules,
    drifted: json.drifted,
    backtest: json.backtest,
    warnings: json.warnings,
  }
}

/** What became of a plan, out of the JSON that says it. */
export function appliedFrom(plan: Plan, { outcomes }: ReturnType<typeof appliedJson>): Applied {
  const changes = new Map(plan.changes.map((change) => [change.address, change]))
  return {
    plan,
    outcomes: outcomes.map((each) => ({
      address: each.address,
      change: changes.get(each.address)!,
      outcome: each.outcome,
      actionId: each.action_id,
      receiptId: each.receipt_id,
      reasons: each.reasons,
    })),
  }
}

export function appliedJson({ plan, outcomes }: Applied) {
  return {
    object: 'apply',
    plan_id: plan.id,
    outcomes: outcomes.map(({ address, change, outcome, actionId, receiptId, reasons }) => ({
      address,
      change: { create: '+', update: '~', delete: '-' }[verbOf(change)],
      outcome,
      action_id: actionId,
      receipt_id: receiptId,
      reasons,
    })),
  }
}

export function stateJson(object: StateObject) {
  return {
    object: 'resource',
    address: object.address,
    kind: object.kind,
    labels: object.labels,
    generation: object.generation,
    digest: object.digest,
    commit: object.commit,
    applied_at: object.appliedAt,
    receipt_id: object.receiptId,
    source: object.source,
    conditions: object.conditions,
  }
}

export function executionPlanJson(plan: ExecutionPlanRow & { readonly tenant: string }) {
  return { object: 'execution_plan', ...plan }
}

export function shownPlanJson(plan: ShownPlan) {
  return { ...executionPlanJson(plan), actions: plan.actions.map(actionJson) }
}

export function actionJson(action: ShownAction) {
  const { args: _args, gate_input: _gateInput, tenant_id: _tenantId, ...shown } = action
  return { object: 'action', ...shown }
}

export function answeredJson(answered: readonly Answered[]) {
  return answered.map(({ action, outcome, reasons }) => ({
    object: 'answer',
    action_id: action.action_id,
    entity_key: action.entity_key,
    outcome,
    reasons,
  }))
}

export function receiptJson(entry: ShownEntry) {
  return {
    object: entry.kind === 'receipt' ? 'receipt' : 'ledger_entry',
    id: entry.id,
    tenant: entry.tenant,
    kind: entry.kind,
    position: entry.position,
    leaf: entry.leaf,
    created_at: entry.at,
    body: entry.body,
  }
}

export type ImportedFileShown = ReturnType<typeof importedFileJson>

export function importedFileJson({ path, content }: ImportedFile) {
  return 'bytes' in content
    ? { object: 'file' as const, path, base64: content.bytes.toString('base64'), document: null }
    : { object: 'file' as const, path, base64: null, document: content.document }
}

export function keyJson(key: KeyInSight) {
  const { tenant_id: _tenantId, key_id: id, ...shown } = key
  return { object: 'api_key', id, ...shown }
}

export function secretJson(secret: SecretInSight) {
  return { object: 'secret' as const, ...secret }
}

export function writtenSecretJson({ previousUntil, ...written }: WrittenSecret) {
  return { object: 'secret' as const, ...written, previous_until: previousUntil }
}

export function stopJson(stop: StopInForce) {
  const { tenant_id: _tenantId, ...shown } = stop
  return { object: 'stop' as const, ...shown }
}

export function guardrailJson(guardrail: Guardrail): ShownObject {
  const { id, address, generation, digest, commit, stage, appliesTo, rules } = guardrail
  return { object: 'guardrail', id, address, generation, digest, commit, stage, applies_to: appliesTo, rules }
}

export function tenantJson({ id, slug, ledgerId, spec }: ShownTenant): ShownObject {
  return {
    object: 'tenant',
    id,
    slug,
    ledger_id: ledgerId,
    display_name: spec?.displayName ?? null,
    reseller: spec?.reseller ?? null,
    tier: spec?.tier ?? null,
    environment: spec?.environment ?? null,
    sandbox_of: spec?.sandboxOf ?? null,
    hosts: spec?.hosts ?? [],
    state: spec?.state ?? null,
  }
}
