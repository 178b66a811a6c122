import type { Verdict } from '../../controller/domain/verdict.ts'
import type { Trace, TracedAction } from '../../controller/operations/trace.ts'
import type { Paint } from './paint.ts'

/** One line a step, in the order they happened. */
export function renderTrace(story: Trace, color: Paint): string {
  const lines: string[] = []
  for (const { envelope, receivedAt, position } of story.events) {
    lines.push(`${color.bold('event')}    ${envelope.event_id} ${envelope.event_type} from ${envelope.source}`)
    lines.push(`         ${receivedAt}, position ${position ?? '-'}, correlation ${envelope.correlation_id}`)
  }
  for (const run of story.runs) {
    lines.push(
      `${color.bold('run')}      ${run.run_id} of ${run.operator}: ${run.state}${run.cause ? `: ${run.cause}` : ''}`,
    )
  }
  for (const plan of story.plans) {
    lines.push(
      `${color.bold('plan')}     ${plan.plan_id} by ${plan.proposer.kind} ${plan.proposer.name} at ${plan.created_at}`,
    )
    for (const action of story.actions.filter(({ row }) => row.plan_id === plan.plan_id))
      lines.push(...actionLines(action, color))
  }
  for (const entry of story.entries) {
    const what = entry.kind === 'receipt' ? `receipt: ${String(entry.body.outcome)}` : entry.kind
    lines.push(`${color.bold('ledger')}   ${entry.id} ${what}, position ${entry.position ?? '-'}`)
    lines.push(`         leaf ${entry.leaf}`)
  }
  return lines.join('\n')
}

function actionLines({ row, approvals }: TracedAction, color: Paint): string[] {
  const verdict = row.verdict as unknown as Verdict | null
  const attempt = row.attempt as { status?: number | null; reason?: string | null } | null
  return [
    `${color.bold('action')}   ${row.action_id} ${row.capability} ${row.entity_key}: ${row.state}`,
    `         key ${row.idempotency_key}`,
    ...(verdict ? [`         verdict ${verdict.decision}: ${verdict.reasons.join('; ')}`] : []),
    ...approvals.map((each) => `         ${each.decision} by ${each.person} at ${each.created_at}`),
    ...(row.intent_at ? [`         intent ${row.intent_at}, attempt ${row.attempts}`] : []),
    ...(attempt?.reason ? [`         answer ${attempt.status ?? '-'}: ${attempt.reason}`] : []),
    ...(row.cause ? [`         ${row.cause}`] : []),
    ...(row.state === 'manual'
      ? [`         you decide: fibric actions resolve ${row.action_id} --happened|--not-happened --reason …`]
      : []),
  ]
}
