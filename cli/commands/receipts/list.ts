import { Flags } from '@oclif/core'
import type { EntryShown } from '../../../controller/operations/objects.ts'
import type { Outcome } from '../../base-command.ts'
import { EngineCommand } from '../../engine-command.ts'
import { scopeFlags } from '../../scope-flags.ts'
import { renderReceipts } from '../../views/receipts.ts'

export default class ReceiptsList extends EngineCommand {
  static override summary =
    'List the ledger: one receipt an action that ended, and entries of control operations, newest first.'
  static override flags = {
    tenant: scopeFlags.tenant,
    limit: Flags.integer({ description: 'this many only', min: 1 }),
  }

  async execute(): Promise<Outcome> {
    const { flags } = await this.parse(ReceiptsList)
    return this.withDoor(flags, '.', async (door) => {
      const entries = await door.list<EntryShown>('/v1/receipts', { query: { tenant: flags.tenant } }, flags.limit)
      return { text: renderReceipts(entries.data), json: entries }
    })
  }
}
