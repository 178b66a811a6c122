import { Flags } from '@oclif/core'
import { breakGlass } from '../../controller/operations/runtime-records.ts'
import type { Outcome } from '../base-command.ts'
import { durationOf } from '../durations.ts'
import { EngineCommand } from '../engine-command.ts'

export default class BreakGlass extends EngineCommand {
  static override summary =
    'The way back in after a lock-out, with the root key at hand: configuration changes pass for a while.'
  static override description = 'Every receipt under it says so, and it is itself an entry in the ledger.'
  static override examples = ['<%= config.bin %> break-glass --reason "nobody holds platform-admin" --for 1h']
  static override flags = {
    reason: Flags.string({ description: 'why, for the ledger', required: true }),
    for: Flags.string({ description: 'how long: 1h', required: true }),
  }

  async execute(): Promise<Outcome> {
    const { flags } = await this.parse(BreakGlass)
    const forMs = durationOf(flags.for)
    return this.withEngine(flags, '.', async (engine) => {
      const until = await breakGlass(engine, flags.reason, forMs)
      return {
        text: `configuration changes pass until ${until}; every receipt will cite break-glass`,
        json: { object: 'break_glass', until, reason: flags.reason },
      }
    })
  }
}
