import type { Verdict } from '../../controller/domain/verdict.ts'
import type { TraceShown } from '../../controller/operations/effect-objects.ts'
import type { Paint } from './paint.ts'

/** One line a step, in the order they happened. */
export function renderTrace(story: TraceShown, color: Paint): string {
  const lines: string[] = []
  for (const event of story.events) {
    lines.push(`${color.bold('event')}    ${event.event_id} ${event.event_type} from ${event.source}`)
    lines.push(`         ${event.received_at}, position ${event.position ?? '-'}, correlation ${event.correlation_id}`)
  }
  for (const run of story.runs) {
    lines.push(
      `${color.bold('run')}      ${run.run_id} of ${run.operator}: ${run.state}${run.cause ? `: ${run.cause}` : ''}`,
    )
    for (const call of story.models.filter((each) => each.run === run.run_id)) lines.push(...modelLines(call, color))
  }
  for (const plan of story.plans) {
    lines.push(
      `${color.bold('plan')}     ${plan.plan_id} by ${plan.proposer.kind} ${plan.proposer.name} at ${plan.created_at}`,
    )
    for (const action of story.actions.filter((each) => each.plan === plan.plan_id))
      lines.push(...actionLines(action, color))
  }
  for (const entry of story.entries) {
    const what = entry.kind === 'receipt' ? `receipt: ${String(entry.body.outcome)}` : entry.kind
    lines.push(`${color.bold('ledger')}   ${entry.id} ${what}, position ${entry.position ?? '-'}`)
    lines.push(`         leaf ${entry.leaf}`)
  }
  return lines.join('\n')
}

function modelLines(call: TraceShown['models'][number], color: Paint): string[] {
  const tokens = call.input_tokens === null ? '' : `, ${call.input_tokens} + ${call.output_tokens} tokens`
  const cost = call.cost === null ? '' : `, ${call.cost} ${call.currency}`
  return [
    `${color.bold('model')}    ${call.id} ${call.model}: ${call.state}${tokens}${cost}`,
    ...(call.reason ? [`         ${call.reason}`] : []),
    `         prompt ${call.prompt_digest}`,
    ...(call.output_digest ? [`         output ${call.output_digest}`] : []),
  ]
}

function actionLines(action: TraceShown['actions'][number], color: Paint): string[] {
  const verdict = action.verdict as unknown as Verdict | null
  const attempt = action.attempt as { status?: number | null; reason?: string | null } | null
  return [
    `${color.bold('action')}   ${action.id} ${action.capability} ${action.entity_key}: ${action.state}`,
    `         key ${action.idempotency_key}`,
    ...(verdict ? [`         verdict ${verdict.decision}: ${verdict.reasons.join('; ')}`] : []),
    ...action.approvals.map((each) => `         ${each.decision} by ${each.person} at ${each.created_at}`),
    ...(action.intent_at ? [`         intent ${action.intent_at}, attempt ${action.attempts}`] : []),
    ...(attempt?.reason ? [`         answer ${attempt.status ?? '-'}: ${attempt.reason}`] : []),
    ...(action.cause ? [`         ${action.cause}`] : []),
    ...(action.state === 'manual'
      ? [`         you decide: fibric actions resolve ${action.id} --happened|--not-happened --reason …`]
      : []),
  ]
}
