import type { ActionInSight } from './actions.ts'
import type { AlertInSight } from './alerts.ts'
import type { ShownConnection } from './connections.ts'
import type { Drill } from './drill.ts'
import { receiptJson } from './objects.ts'
import type { AskedRun, ShownOperator } from './operators.ts'
import type { Simulation } from './simulate.ts'
import type { Trace } from './trace.ts'
import { modelCallJson } from './trace-models.ts'

export type AlertShown = ReturnType<typeof alertJson>
export type ConnectionShown = ReturnType<typeof connectionJson>
export type DrillShown = ReturnType<typeof drillJson>
export type ActionShown = ReturnType<typeof effectJson>
export type OperatorShown = ReturnType<typeof operatorJson>
export type RunShown = ReturnType<typeof askedRunJson>
export type SimulationShown = ReturnType<typeof simulationJson>
export type TraceShown = ReturnType<typeof traceJson>

/** What the API answers of the governed loop, and what commands print under `--json`: the same, whoever is asked. */
export function effectJson({ stopped, ...action }: ActionInSight) {
  return { ...rowJson(action), stopped }
}

function rowJson(action: Omit<ActionInSight, 'stopped'>) {
  return {
    object: 'action' as const,
    id: action.action_id,
    tenant: action.tenant,
    plan: action.plan_id,
    state: action.state,
    capability: action.capability,
    connection: action.connection,
    entity_key: action.entity_key,
    idempotency_key: action.idempotency_key,
    args: action.args,
    attempts: action.attempts,
    cause: action.cause,
    verdict: action.verdict,
    receipt: action.receipt_id,
    created_at: action.created_at,
    state_at: action.state_at,
    expires_at: action.expires_at,
  }
}

export function alertJson(alert: AlertInSight) {
  const { seen_at: at, seen_by: person, seen_reason: reason } = alert
  return {
    object: 'alert' as const,
    id: alert.alert_id,
    tenant: alert.tenant,
    action: alert.action_id,
    capability: alert.capability,
    entity_key: alert.entity_key,
    state: alert.state,
    policy: alert.policy,
    rule: alert.rule,
    reasons: alert.reasons,
    raised_at: alert.raised_at,
    seen: at === null ? null : { at, person, reason },
  }
}

export function connectionJson(connection: ShownConnection) {
  return { object: 'connection' as const, ...connection }
}

export function drillJson({ connection, tool, effect, outcome, checks, verdict }: Drill) {
  return { object: 'drill' as const, connection, tool, effect, outcome, checks, verdict }
}

export function operatorJson({ operator, status, last }: ShownOperator) {
  const { address, digest, commit, trigger, capabilities } = operator
  const id = operator.id.replace(/^ob_/, 'op_')
  return { object: 'operator' as const, address, id, status, digest, commit, trigger, capabilities, last_run: last }
}

export function askedRunJson(run: AskedRun) {
  return { object: 'run' as const, id: run.runId, outcome: run.outcome, cause: run.cause, actions: run.actions }
}

export function simulationJson({ outcome, cause, actions }: Simulation) {
  return {
    object: 'simulation' as const,
    outcome,
    cause,
    actions: actions.map(({ effect, state, cause: why, verdict, request, receipt }) => ({
      id: effect.actionId,
      capability: effect.capability,
      args: effect.args,
      state,
      cause: why,
      entity_key: effect.entityKey,
      idempotency_key: effect.idempotencyKey,
      after: effect.after,
      verdict,
      request,
      receipt,
    })),
  }
}

export function traceJson(story: Trace) {
  return {
    object: 'trace' as const,
    id: story.id,
    tenant: story.tenant,
    events: story.events.map(({ envelope, receivedAt, position }) => ({
      object: 'event',
      ...envelope,
      received_at: receivedAt,
      position,
    })),
    runs: story.runs.map((run) => ({ object: 'run', ...run })),
    models: story.models.map(modelCallJson),
    plans: story.plans.map((plan) => ({ object: 'execution_plan', ...plan })),
    actions: story.actions.map(({ row, approvals }) => ({
      ...rowJson({ ...row, tenant: story.tenant }),
      attempt: row.attempt,
      fence: row.fence,
      intent_at: row.intent_at,
      approvals,
    })),
    entries: story.entries.map(receiptJson),
  }
}
