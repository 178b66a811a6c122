import type { SimulationShown } from '../../controller/operations/effect-objects.ts'

type Action = SimulationShown['actions'][number]

export function renderSimulation({ outcome, cause, actions }: SimulationShown): string {
  if (actions.length === 0)
    return `Simulated: ${outcome === 'nothing' ? 'it would propose nothing' : outcome}${cause ? `: ${cause}` : ''}`
  return ['Simulated: nothing was written, nothing was sent.', ...actions.flatMap(linesOf)].join('\n')
}

function linesOf(action: Action): string[] {
  const { capability, args, state, entity_key: entity, cause, verdict, request, receipt } = action
  const said = [
    ...(verdict === null ? [] : [`${verdict.decision}${listed(verdict.reasons)}`]),
    ...(request === null ? [] : [`${request.method} ${request.url}${bodyText(request.body)}`]),
    ...(cause === null ? [] : [cause]),
    receipt === null ? 'no receipt: it would not have ended' : `receipt: ${String(receipt.outcome)}, simulated`,
  ]
  return [`  ${state.padEnd(12)} ${capability} ${entity} ${JSON.stringify(args)}`, ...said.map((line) => `    ${line}`)]
}

function listed(reasons: readonly string[]): string {
  return reasons.length === 0 ? '' : `: ${reasons.join('; ')}`
}

function bodyText(body: NonNullable<Action['request']>['body']): string {
  return body === null ? '' : ` ${JSON.stringify(body)}`
}
