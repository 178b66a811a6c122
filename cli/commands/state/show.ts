import { Args } from '@oclif/core'
import type { Outcome } from '../../base-command.ts'
import { EngineCommand } from '../../engine-command.ts'
import { addressOf, oneResource, partsOf } from '../../scope-flags.ts'
import { renderYaml } from '../../views/yaml.ts'

export default class StateShow extends EngineCommand {
  static override summary = 'Show one applied resource: its status, conditions and content.'
  static override examples = ['<%= config.bin %> state show acme/Operator/order-risk']
  static override args = { address: Args.string({ description: '<tenant>/<Kind>/<name>', required: true }) }

  async execute(): Promise<Outcome> {
    const { args, flags } = await this.parse(StateShow)
    const address = addressOf(args.address)
    return this.withDoor(flags, '.', async (door) => {
      const json = await door.ask('GET', oneResource, { params: partsOf(address) })
      return { text: renderYaml(json), json }
    })
  }
}
