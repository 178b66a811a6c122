import type { AskedRun, ShownOperator, Simulation } from '../../controller/operations/operators.ts'
import { renderTable } from './table.ts'

export function renderOperators(operators: readonly ShownOperator[]): string {
  if (operators.length === 0) return 'No operator is applied.'
  const rows = operators.map(({ operator, status, last }) => [
    operator.address,
    status,
    triggerText(operator.trigger),
    last === null ? '-' : `${last.state} ${last.created_at}`,
  ])
  return renderTable(['OPERATOR', 'STATUS', 'TRIGGER', 'LAST RUN'], rows)
}

function triggerText({ on, ask }: ShownOperator['operator']['trigger']): string {
  return on.length > 0 ? on.join(', ') : ask ? 'when asked' : 'a schedule'
}

export function renderAskedRun({ runId, outcome, cause, actions }: AskedRun): string {
  const head = `${runId} ${outcome === 'nothing' ? 'proposed nothing' : outcome}${cause ? `: ${cause}` : ''}`
  return [head, ...actions.map((each) => `  ${each.state.padEnd(12)} ${each.capability} ${each.actionId}`)].join('\n')
}

export function renderSimulation({ outcome, cause, actions }: Simulation): string {
  if (actions.length === 0)
    return `Simulated: ${outcome === 'nothing' ? 'it would propose nothing' : outcome}${cause ? `: ${cause}` : ''}`
  const lines = actions.flatMap(({ proposal, state, cause: why, entity, verdict }) => [
    `  ${(verdict?.decision ?? state).padEnd(8)} ${proposal.capability} ${entity} ${JSON.stringify(proposal.args)}`,
    ...(why && state !== 'planned' ? [`           ${why}`] : []),
    ...(verdict?.reasons ?? []).map((reason) => `           ${reason}`),
  ])
  return ['Simulated: nothing was written, nothing was sent.', ...lines].join('\n')
}
