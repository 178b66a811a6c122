import { diffFields } from '../../controller/domain/field-diff.ts'
import type { Json } from '../../controller/domain/json.ts'
import type { Plan, PlannedChange } from '../../controller/domain/plan.ts'
import type { Verdict } from '../../controller/domain/verdict.ts'
import type { Planned } from '../../controller/operations/plan.ts'
import { renderCounts, signOf } from './plan.ts'

/** A plan as a comment on a pull request: what changes, what the gate says, and the fields folded away. */
export function renderPlanMarkdown(plan: Plan, contents: Planned['contents'], brakes: Planned['brakes']): string {
  const parts = [`### ${renderCounts(plan)}`]
  if (plan.changes.length > 0) {
    const rows = plan.changes.map(
      (change) => `| ${signOf(change)} | \`${change.address}\` | ${change.authority.class} | ${verdictCell(change)} |`,
    )
    parts.push(['| | resource | authority | gate |', '|---|---|---|---|', ...rows].join('\n'))
  }
  for (const brake of brakes) parts.push(`> **brake** ${cell(brake.message)} (${brake.code})`)
  for (const { address, drift } of plan.drifted) parts.push(`> **drift** \`${address}\` (${drift}), observed`)
  const details = plan.changes.flatMap((change) => fieldsOf(change, contents))
  if (details.length > 0)
    parts.push(`<details><summary>fields</summary>\n\n\`\`\`diff\n${details.join('\n')}\n\`\`\`\n\n</details>`)
  parts.push(`plan \`${plan.id}\``)
  return `${parts.join('\n\n')}\n`
}

function verdictCell(change: PlannedChange): string {
  const verdict = change.verdict as unknown as Verdict
  const { standing } = change
  if (standing.kind !== 'proposed') return standing.kind
  const holds = verdict.holds.filter((hold) => hold.mode === 'hold')
  const needs = holds.map(({ approvers }) => `${approvers.quorum} × ${approvers.role ?? 'approver'}`)
  return needs.length > 0 ? `${verdict.decision}: needs ${needs.join(', ')}` : verdict.decision
}

function fieldsOf(change: PlannedChange, contents: Planned['contents']): string[] {
  if (change.digestAfter === null || change.digestBefore === null || change.heals) return []
  const { before, after } = contents(change)
  if (before === null) return []
  const lines = diffFields(before, after).flatMap((field) => [
    ...(field.before === undefined ? [] : [`- ${field.path}: ${line(field.before)}`]),
    ...(field.after === undefined ? [] : [`+ ${field.path}: ${line(field.after)}`]),
  ])
  return [`# ${change.address}`, ...lines]
}

/** JSON has no line breaks of its own, and a fence inside a value must not end ours. */
function line(value: Json): string {
  return JSON.stringify(value).replaceAll('```', '` ` `')
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|')
}
