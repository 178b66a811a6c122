import { Args } from '@oclif/core'
import type { TestedModelShown } from '../../../controller/operations/models.ts'
import type { Outcome } from '../../base-command.ts'
import { EngineCommand } from '../../engine-command.ts'
import { scopeFlags } from '../../scope-flags.ts'
import { renderTestedModel } from '../../views/models.ts'

export default class ModelsTest extends EngineCommand {
  static override summary =
    'Ask the model that serves a tenant one small question, by its policies and within its budget.'
  static override examples = ['<%= config.bin %> models test reasoning --tenant acme']
  static override args = { alias: Args.string({ description: 'alias of a ModelPolicy; none: the default model' }) }
  static override flags = {
    tenant: scopeFlags.onlyTenant,
  }

  async execute(): Promise<Outcome> {
    const { args, flags } = await this.parse(ModelsTest)
    return this.withDoor(flags, '.', async (door) => {
      const body = args.alias === undefined ? {} : { alias: args.alias }
      const asked = { query: { tenant: flags.tenant }, body }
      const tested = await door.ask<TestedModelShown>('POST', '/v1/models/test', asked)
      return { text: renderTestedModel(tested), json: tested, exit: tested.outcome === 'answered' ? 0 : 1 }
    })
  }
}
