import type { BacktestReport } from '../../controller/domain/backtest.ts'
import { verbOf } from '../../controller/domain/change.ts'
import { countChanges, type Plan, type PlannedChange } from '../../controller/domain/plan.ts'
import type { Verdict } from '../../controller/domain/verdict.ts'
import type { Planned } from '../../controller/operations/plan.ts'
import { changedFieldsText } from './fields.ts'
import type { Paint } from './paint.ts'

type Contents = Planned['contents']

/** A plan as the terminal shows it: one block a resource, what the gate says of it, and the counts as the last line. */
export function renderPlan(plan: Plan, contents: Contents | null, brakes: Planned['brakes'], color: Paint): string {
  const blocks = plan.changes.map((change) => renderChange(change, contents, color))
  const parts = [
    ...(plan.genesis && plan.changes.length > 0
      ? [color.dim('genesis: the built-in rule `bootstrap` lets this first plan through, and closes behind it')]
      : []),
    ...blocks,
    ...renderBacktest(plan.backtest as BacktestReport | null, color),
    ...plan.drifted.map(
      ({ address, drift }) => `${color.yellow('!')} ${address} drifted (${drift}): observed, not changed`,
    ),
    ...brakes.map((brake) => `${color.red('brake')} ${brake.message} (${brake.code})`),
    ...plan.warnings.map((warning) => `${color.yellow('warning')} ${warning}`),
    renderCounts(plan),
  ]
  return `${parts.join('\n\n')}\n`
}

export function renderCounts(plan: Plan): string {
  const counts = countChanges(plan.changes)
  return `Plan: ${counts.create} to create, ${counts.update} to update, ${counts.delete} to delete.`
}

export function signOf(change: PlannedChange): '+' | '~' | '-' {
  switch (verbOf(change)) {
    case 'create':
      return '+'
    case 'update':
      return '~'
    case 'delete':
      return '-'
  }
}

function renderChange(change: PlannedChange, contents: Contents | null, color: Paint): string {
  const sign = signOf(change)
  const tint = { '+': color.green, '~': color.yellow, '-': color.red }[sign]
  const renamed = change.addressBefore ? ` ${color.dim(`(was ${change.addressBefore})`)}` : ''
  const where = change.source ? `  ${color.dim(`${change.source.path}:${change.source.line}`)}` : ''
  const lines = [`${tint(sign)} ${color.bold(change.address)}${renamed}${where}`]
  if (change.heals) lines.push(`    ${color.dim('restores what was receipted: the stored object was changed by hand')}`)
  if (contents && sign === '~' && !change.heals)
    lines.push(...changedFieldsText(contents(change), color).map((line) => `    ${line}`))
  lines.push(`    ${verdictText(change, color)}`)
  for (const reason of change.authority.reasons.slice(0, 3)) lines.push(`      ${color.dim(reason)}`)
  return lines.join('\n')
}

function verdictText(change: PlannedChange, color: Paint): string {
  const verdict = change.verdict as unknown as Verdict
  const authority = change.authority.class
  const { standing } = change
  switch (standing.kind) {
    case 'waiting':
      return `${color.yellow('WAITING')} ${authority} · waits for approval as ${standing.actionId}${holdText(verdict)}`
    case 'settled':
      return `${color.red('REFUSED')} ${authority} · was ${standing.outcome} under these rules (${standing.receiptId}); ask again with --retry ${change.address}`
    case 'suspended':
      return `${color.yellow('SUSPENDED')} until ${standing.until}: ${standing.reason}`
    case 'withheld':
      return `${color.yellow('AFTER')} ${authority} · waits for ${standing.on}`
    case 'proposed':
      return `${decisionText(verdict, color)} ${authority}${ruleText(verdict)}${holdText(verdict)}`
  }
}

function decisionText(verdict: Verdict, color: Paint): string {
  const tint = { ALLOW: color.green, ALERT: color.yellow, BLOCK: color.red }[verdict.decision]
  return tint(verdict.decision)
}

function ruleText(verdict: Verdict): string {
  if (verdict.decision === 'BLOCK') return ` · ${verdict.reasons.join('; ')}`
  const rules = verdict.rules.map(({ policy, rule }) => `${policy}#${rule}`)
  return rules.length > 0 ? ` · by ${rules.join(', ')}` : ''
}

function holdText(verdict: Verdict): string {
  const holds = verdict.holds.filter((hold) => hold.mode === 'hold')
  if (holds.length === 0) return ''
  const wants = holds.map(({ approvers }) => `${approvers.quorum} of role ${approvers.role ?? 'any that approves'}`)
  return ` · needs ${wants.join(' and ')}`
}

function renderBacktest(report: BacktestReport | null, color: Paint): string[] {
  if (!report) return []
  const total = report.replayed + report.not_replayable
  const flips = report.looser + report.stricter
  const head = `backtest: over the last 7 days this would have changed ${flips} of ${total} verdicts: ${report.stricter} stricter, ${report.looser} looser`
  const unknown =
    report.not_replayable > 0 ? [`  ${report.not_replayable} not replayable: their recorded facts do not suffice`] : []
  const listed = report.flips
    .slice(0, 5)
    .map((flip) => `  ${flip.from} → ${flip.to} ${flip.capability} ${flip.entity} (${flip.id})`)
  return [[color.bold(head), ...unknown, ...listed].join('\n')]
}
