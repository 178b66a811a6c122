import { Args } from '@oclif/core'
import type { Outcome } from '../../base-command.ts'
import { EngineCommand } from '../../engine-command.ts'
import { renderYaml } from '../../views/yaml.ts'

export default class ReceiptsShow extends EngineCommand {
  static override summary = 'Show one ledger entry: the whole story in one leaf, and where it stands in the tree.'
  static override args = { id: Args.string({ description: 'rc_…', required: true }) }

  async execute(): Promise<Outcome> {
    const { args, flags } = await this.parse(ReceiptsShow)
    return this.withDoor(flags, '.', async (door) => {
      const entry = await door.ask('GET', '/v1/receipts/{id}', { params: { id: args.id } })
      return { text: renderYaml(entry), json: entry }
    })
  }
}
