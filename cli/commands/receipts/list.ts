import { Flags } from '@oclif/core'
import { receiptJson } from '../../../controller/operations/objects.ts'
import { listReceipts } from '../../../controller/operations/receipts.ts'
import type { Outcome } from '../../base-command.ts'
import { EngineCommand } from '../../engine-command.ts'
import { scopeFlags } from '../../scope-flags.ts'
import { renderReceipts } from '../../views/receipts.ts'
import { listJson } from '../../views/table.ts'

export default class ReceiptsList extends EngineCommand {
  static override summary =
    'List the ledger: one receipt an action that ended, and entries of control operations, newest first.'
  static override flags = {
    tenant: scopeFlags.tenant,
    limit: Flags.integer({ description: 'this many only', min: 1 }),
  }

  async execute(): Promise<Outcome> {
    const { flags } = await this.parse(ReceiptsList)
    return this.withEngine(flags, '.', async (engine) => {
      const entries = await listReceipts(engine, flags.tenant ?? null, flags.limit ?? null)
      return { text: renderReceipts(entries), json: listJson(entries.map(receiptJson)) }
    })
  }
}
