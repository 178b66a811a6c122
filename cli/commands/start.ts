import { Flags } from '@oclif/core'
import type { Outcome } from '../base-command.ts'
import { EngineCommand } from '../engine-command.ts'
import { sayStop, stopFlags, stoppedOf } from '../stop-flags.ts'

export default class Start extends EngineCommand {
  static override summary = 'End a stop: what waited goes on, through the gate as ever.'
  static override examples = ['<%= config.bin %> start --tenant acme --reason "incident 42 is over"']
  static override flags = {
    ...stopFlags,
    reason: Flags.string({ description: 'why, for the ledger', required: true }),
  }

  async execute(): Promise<Outcome> {
    const { flags } = await this.parse(Start)
    const what = stoppedOf(flags)
    return this.withDoor(flags, '.', async (door) => {
      const asked = { query: { tenant: flags.tenant }, body: { ...what, reason: flags.reason } }
      const json = await door.ask<{ tenant: string }>('POST', '/v1/stops/end', asked)
      return { text: `Started: ${sayStop(what, json.tenant)}.`, json }
    })
  }
}
