import { Flags } from '@oclif/core'
import { sayStop, start } from '../../controller/operations/stops.ts'
import type { Outcome } from '../base-command.ts'
import { EngineCommand } from '../engine-command.ts'
import { stopFlags, stoppedOf } from '../stop-flags.ts'

export default class Start extends EngineCommand {
  static override summary = 'End a stop: what waited goes on, through the gate as ever.'
  static override examples = ['<%= config.bin %> start --tenant acme --reason "incident 42 is over"']
  static override flags = {
    ...stopFlags,
    reason: Flags.string({ description: 'why, for the ledger', required: true }),
  }

  async execute(): Promise<Outcome> {
    const { flags } = await this.parse(Start)
    const { tenant, what } = stoppedOf(flags)
    return this.withEngine(flags, '.', async (engine) => {
      const id = await start(engine, tenant, what, flags.reason)
      return { text: `Started: ${sayStop(what, tenant)}.`, json: { object: 'stop', stop_id: id, ended: true } }
    })
  }
}
