import { Flags } from '@oclif/core'
import { listActions } from '../../../controller/operations/actions.ts'
import { effectJson } from '../../../controller/operations/effect-objects.ts'
import type { Outcome } from '../../base-command.ts'
import { EngineCommand } from '../../engine-command.ts'
import { scopeFlags } from '../../scope-flags.ts'
import { renderActions } from '../../views/actions.ts'
import { listJson } from '../../views/table.ts'

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
    return this.withEngine(flags, '.', async (engine) => {
      const actions = await listActions(engine, flags.tenant ?? null, flags.state ?? null)
      return { text: renderActions(actions), json: listJson(actions.map(effectJson)) }
    })
  }
}
