import type { Verdict } from '../../controller/domain/verdict.ts'
import type { AnswerShown, PlannedActionShown, PlanShown } from '../../controller/operations/objects.ts'
import type { Paint } from './paint.ts'
import { renderTable } from './table.ts'

/** What waits for a person: the first thing an approver wants to see. */
export function renderWaiting(actions: readonly PlannedActionShown[]): string {
  if (actions.length === 0) return 'Nothing waits.'
  const rows = actions.map((action) => [
    action.action_id,
    action.state,
    action.tenant,
    action.capability,
    action.entity_key,
    needsText(action),
    action.expires_at ?? '-',
  ])
  return renderTable(['ACTION', 'STATE', 'TENANT', 'CAPABILITY', 'ENTITY', 'NEEDS', 'EXPIRES'], rows)
}

function needsText(action: PlannedActionShown): string {
  if (action.state !== 'held') return action.cause ?? '-'
  const verdict = action.verdict as unknown as Verdict | null
  const approved = action.approvals
    .filter((approval) => approval.decision === 'approve')
    .map((approval) => approval.person)
  const needs = (verdict?.holds ?? [])
    .filter(({ mode }) => mode === 'hold')
    .map(({ rule, approvers }) => `${approvers.quorum} ${approvers.role ?? 'approver'} (${rule})`)
  return approved.length > 0 ? `${needs.join(', ')}; approved by ${approved.join(', ')}` : needs.join(', ')
}

export function renderPlans(plans: readonly PlanShown[], color: Paint): string {
  return plans.map((plan) => renderOne(plan, color)).join('\n\n')
}

function renderOne(plan: PlanShown, color: Paint): string {
  const head = [
    color.bold(plan.plan_id),
    `  tenant       ${plan.tenant}`,
    `  proposed by  ${plan.proposer.kind} ${plan.proposer.name} at ${plan.created_at}`,
    `  correlation  ${plan.correlation_id}`,
    ...(plan.config_plan_id ? [`  plan id      ${plan.config_plan_id}`] : []),
  ]
  const actions = plan.actions.flatMap((action) => [
    `  ${action.state.padEnd(10)} ${action.capability} ${action.entity_key} ${color.dim(action.action_id)}`,
    ...action.approvals.map(
      (approval) => `             ${approval.decision} by ${approval.person} at ${approval.created_at}`,
    ),
    ...(action.state === 'held' ? [`             needs ${needsText(action)}, until ${action.expires_at}`] : []),
    ...(action.receipt_id ? [`             ${color.dim(action.receipt_id)}`] : []),
  ])
  return [...head, ...actions].join('\n')
}

export function renderAnswered(answered: readonly AnswerShown[]): string {
  return answered
    .map(
      ({ entity_key: entity, outcome, reasons, action_id: id }) =>
        `${entity} ${outcome === 'intent' ? `is under way: fibric why-waiting ${id}` : outcome}${reasons.length > 0 && outcome !== 'applied' ? `: ${reasons.join('; ')}` : ''}`,
    )
    .join('\n')
}
