import { operatorJson } from '../../../controller/operations/effect-objects.ts'
import { listOperators } from '../../../controller/operations/operators.ts'
import type { Outcome } from '../../base-command.ts'
import { EngineCommand } from '../../engine-command.ts'
import { scopeFlags } from '../../scope-flags.ts'
import { renderOperators } from '../../views/operators.ts'
import { listJson } from '../../views/table.ts'

export default class OperatorsList extends EngineCommand {
  static override summary = 'List the operators, whether each runs, and how its last run ended.'
  static override flags = { tenant: scopeFlags.tenant }

  async execute(): Promise<Outcome> {
    const { flags } = await this.parse(OperatorsList)
    return this.withEngine(flags, '.', async (engine) => {
      const operators = await listOperators(engine, flags.tenant ?? null)
      return { text: renderOperators(operators), json: listJson(operators.map(operatorJson)) }
    })
  }
}
