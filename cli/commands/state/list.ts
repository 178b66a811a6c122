import type { ResourceShown } from '../../../controller/operations/objects.ts'
import type { Outcome } from '../../base-command.ts'
import { EngineCommand } from '../../engine-command.ts'
import { labelsOf, scopeFlags } from '../../scope-flags.ts'
import { renderState } from '../../views/state.ts'

export default class StateList extends EngineCommand {
  static override summary = 'List what is applied, with generation, digest, commit and conditions.'
  static override flags = { tenant: scopeFlags.tenant, selector: scopeFlags.selector }

  async execute(): Promise<Outcome> {
    const { flags } = await this.parse(StateList)
    labelsOf(flags.selector)
    const query = { tenant: flags.tenant, labels: flags.selector }
    return this.withDoor(flags, '.', async (door) => {
      const objects = await door.list<ResourceShown>('/v1/config/resources', { query })
      return { text: renderState(objects.data), json: objects }
    })
  }
}
