import type { OperatorShown, RunShown } from '../../controller/operations/effect-objects.ts'
import { renderTable } from './table.ts'

export function renderOperators(operators: readonly OperatorShown[]): string {
  if (operators.length === 0) return 'No operator is applied.'
  const rows = operators.map(({ address, status, trigger, last_run: last }) => [
    address,
    status,
    triggerText(trigger),
    last === null ? '-' : `${last.state} ${last.created_at}`,
  ])
  return renderTable(['OPERATOR', 'STATUS', 'TRIGGER', 'LAST RUN'], rows)
}

function triggerText({ on, ask }: OperatorShown['trigger']): string {
  return on.length > 0 ? on.join(', ') : ask ? 'when asked' : 'a schedule'
}

export function renderAskedRun({ id, outcome, cause, actions }: RunShown): string {
  const head = `${id} ${outcome === 'nothing' ? 'proposed nothing' : outcome}${cause ? `: ${cause}` : ''}`
  return [head, ...actions.map((each) => `  ${each.state.padEnd(12)} ${each.capability} ${each.actionId}`)].join('\n')
}
