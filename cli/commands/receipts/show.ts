import { Args } from '@oclif/core'
import { receiptJson } from '../../../controller/operations/objects.ts'
import { showReceipt } from '../../../controller/operations/receipts.ts'
import type { Outcome } from '../../base-command.ts'
import { EngineCommand } from '../../engine-command.ts'
import { renderYaml } from '../../views/yaml.ts'

export default class ReceiptsShow extends EngineCommand {
  static override summary = 'Show one ledger entry: the whole story in one leaf, and where it stands in the tree.'
  static override args = { id: Args.string({ description: 'rc_…', required: true }) }

  async execute(): Promise<Outcome> {
    const { args, flags } = await this.parse(ReceiptsShow)
    return this.withEngine(flags, '.', async (engine) => {
      const entry = receiptJson(await showReceipt(engine, args.id))
      return { text: renderYaml(entry), json: entry }
    })
  }
}
