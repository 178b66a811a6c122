import { stateJson } from '../../../controller/operations/objects.ts'
import { listState } from '../../../controller/operations/state.ts'
import type { Outcome } from '../../base-command.ts'
import { EngineCommand } from '../../engine-command.ts'
import { labelsOf, scopeFlags } from '../../scope-flags.ts'
import { renderState } from '../../views/state.ts'
import { listJson } from '../../views/table.ts'

export default class StateList extends EngineCommand {
  static override summary = 'List what is applied, with generation, digest, commit and conditions.'
  static override flags = { tenant: scopeFlags.tenant, selector: scopeFlags.selector }

  async execute(): Promise<Outcome> {
    const { flags } = await this.parse(StateList)
    return this.withEngine(flags, '.', async (engine) => {
      const objects = await listState(engine, { tenant: flags.tenant ?? null, labels: labelsOf(flags.selector) })
      return { text: renderState(objects), json: listJson(objects.map(stateJson)) }
    })
  }
}
