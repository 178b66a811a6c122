import type { ModelChoiceShown, TestedModelShown } from '../../controller/operations/models.ts'
import { renderTable } from './table.ts'

export function renderModelChoices(choices: readonly ModelChoiceShown[]): string {
  if (choices.length === 0) return 'No tenant is served by a model.'
  const rows = choices.flatMap(({ tenant, alias, policy, by, chosen, models, refused, problem }) => {
    const who = [tenant, alias ?? '(default)']
    if (problem !== null) return [[...who, '-', '-', '-', `refused: ${problem}`]]
    return [
      ...models.map((model) => [
        ...who,
        model.name,
        model.country ?? 'anywhere',
        model.rating ?? 'unrated',
        model.name === chosen ? `chosen by ${policy} (${by})` : `fallback of ${policy}`,
      ]),
      ...refused.map(({ name, reason }) => [...who, name, '-', '-', `never called: ${reason}`]),
    ]
  })
  return renderTable(['TENANT', 'ALIAS', 'MODEL', 'RUNS IN', 'RATING', 'WHY'], rows)
}

export function renderTestedModel(tested: TestedModelShown): string {
  const { tenant, alias, outcome, reason, model, text, input_tokens, output_tokens, cost, currency, took_ms } = tested
  const asked = alias === null ? tenant : `${tenant}, alias ${alias}`
  if (outcome !== 'answered') return `${asked}: ${outcome}: ${reason}`
  const tokens = input_tokens === null ? '' : `, ${input_tokens} + ${output_tokens} tokens`
  const spent = cost === null ? '' : `, ${cost} ${currency}`
  return `${asked}: ${model} answered in ${took_ms} ms${tokens}${spent}: ${JSON.stringify(text)}`
}
