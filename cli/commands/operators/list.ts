import type { OperatorShown } from '../../../controller/operations/effect-objects.ts'
import type { Outcome } from '../../base-command.ts'
import { EngineCommand } from '../../engine-command.ts'
import { scopeFlags } from '../../scope-flags.ts'
import { renderOperators } from '../../views/operators.ts'

export default class OperatorsList extends EngineCommand {
  static override summary = 'List the operators, whether each runs, and how its last run ended.'
  static override flags = { tenant: scopeFlags.tenant }

  async execute(): Promise<Outcome> {
    const { flags } = await this.parse(OperatorsList)
    return this.withDoor(flags, '.', async (door) => {
      const operators = await door.list<OperatorShown>('/v1/operators', { query: { tenant: flags.tenant } })
      return { text: renderOperators(operators.data), json: operators }
    })
  }
}
