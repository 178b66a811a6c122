import { Flags } from '@oclif/core'
import type { ActionShown } from '../../../controller/operations/effect-objects.ts'
import type { Outcome } from '../../base-command.ts'
import { EngineCommand } from '../../engine-command.ts'
import { scopeFlags } from '../../scope-flags.ts'
import { renderActions } from '../../views/actions.ts'

export default class ActionsList extends EngineCommand {
  static override summary = 'List actions that have not ended: queued, held, under way, waiting, or in doubt.'
  static override examples = ['<%= config.bin %> actions list --tenant acme --state manual']
  static override flags = {
    tenant: scopeFlags.tenant,
    state: Flags.string({
      description: 'in one state only',
      options: ['planned', 'held', 'intent', 'waiting', 'unknown', 'reconciling', 'manual'],
    }),
  }

  async execute(): Promise<Outcome> {
    const { flags } = await this.parse(ActionsList)
    return this.withDoor(flags, '.', async (door) => {
      const query = { tenant: flags.tenant, state: flags.state }
      const actions = await door.list<ActionShown>('/v1/actions', { query })
      return { text: renderActions(actions.data), json: actions }
    })
  }
}
