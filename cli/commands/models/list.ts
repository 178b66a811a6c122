import type { ModelChoiceShown } from '../../../controller/operations/models.ts'
import type { Outcome } from '../../base-command.ts'
import { EngineCommand } from '../../engine-command.ts'
import { scopeFlags } from '../../scope-flags.ts'
import { renderModelChoices } from '../../views/models.ts'

export default class ModelsList extends EngineCommand {
  static override summary = 'List which model answers in each tenant, by default and by alias, and which are refused.'
  static override flags = { tenant: scopeFlags.tenant }

  async execute(): Promise<Outcome> {
    const { flags } = await this.parse(ModelsList)
    return this.withDoor(flags, '.', async (door) => {
      const choices = await door.list<ModelChoiceShown>('/v1/models', { query: { tenant: flags.tenant } })
      return { text: renderModelChoices(choices.data), json: choices }
    })
  }
}
