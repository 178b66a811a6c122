import type { Applied, ChangeOutcome, Fate } from '../../controller/operations/apply.ts'
import type { Paint } from './paint.ts'
import { signOf } from './plan.ts'

const words: Record<Fate, string> = {
  applied: 'applied',
  unchanged: 'already applied',
  held: 'held',
  waiting: 'waiting',
  planned: 'waiting',
  blocked: 'blocked',
  settled: 'refused before',
  skipped: 'skipped',
  suspended: 'suspended',
  withheld: 'withheld',
}

/** What became of each change, and the counts as the last line. */
export function renderApplied(applied: Applied, color: Paint): string {
  const lines = applied.outcomes.map((outcome) => renderOutcome(outcome, color))
  return `${[...lines, ...(lines.length > 0 ? [''] : []), renderTotals(applied)].join('\n')}\n`
}

function renderOutcome(outcome: ChangeOutcome, color: Paint): string {
  const head = `${signOf(outcome.change)} ${outcome.address} ${tintOf(outcome.outcome, color)(words[outcome.outcome])}`
  const id = outcome.receiptId ?? outcome.actionId
  const why = outcome.outcome === 'applied' || outcome.outcome === 'unchanged' ? '' : `: ${outcome.reasons.join('; ')}`
  // What waits names its action in the reason.
  return `${head}${why}${id && !why.includes(id) ? ` ${color.dim(id)}` : ''}`
}

function tintOf(fate: Fate, color: Paint): (text: string) => string {
  if (fate === 'applied') return color.green
  if (fate === 'blocked' || fate === 'skipped' || fate === 'settled') return color.red
  return fate === 'unchanged' ? color.dim : color.yellow
}

export function renderTotals({ outcomes }: Applied): string {
  if (outcomes.length === 0) return 'Nothing to apply.'
  const count = (...fates: Fate[]): number => outcomes.filter((each) => fates.includes(each.outcome)).length
  const parts = [
    [count('applied', 'unchanged'), 'applied'],
    [count('held', 'waiting', 'planned'), 'waiting'],
    [count('blocked', 'skipped', 'settled'), 'refused'],
    [count('suspended', 'withheld'), 'withheld'],
  ] as const
  const said = parts.filter(([number]) => number > 0).map(([number, word]) => `${number} ${word}`)
  return `Apply: ${said.join(', ')}.`
}
