import type { OperatorShown, RunShown, SimulationShown } from '../../controller/operations/effect-objects.ts'
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

export function renderSimulation({ outcome, cause, actions }: SimulationShown): string {
  if (actions.length === 0)
    return `Simulated: ${outcome === 'nothing' ? 'it would propose nothing' : outcome}${cause ? `: ${cause}` : ''}`
  const lines = actions.flatMap(({ capability, args, state, cause: why, entity_key: entity, verdict }) => [
    `  ${(verdict?.decision ?? state).padEnd(8)} ${capability} ${entity} ${JSON.stringify(args)}`,
    ...(why && state !== 'planned' ? [`           ${why}`] : []),
    ...(verdict?.reasons ?? []).map((reason) => `           ${reason}`),
  ])
  return ['Simulated: nothing was written, nothing was sent.', ...lines].join('\n')
}
