import { Args, Flags } from '@oclif/core'
import type { Outcome } from '../base-command.ts'
import { durationOf } from '../durations.ts'
import { EngineCommand } from '../engine-command.ts'
import { addressOf, oneResource, partsOf } from '../scope-flags.ts'

export default class Suspend extends EngineCommand {
  static override summary = 'Leave an applied resource alone until a date, whatever the repository says.'
  static override examples = ['<%= config.bin %> suspend acme/Operator/order-risk --for 4h --reason "incident 42"']
  static override args = { address: Args.string({ description: '<tenant>/<Kind>/<name>', required: true }) }
  static override flags = {
    for: Flags.string({ description: 'how long: 4h', required: true }),
    reason: Flags.string({ description: 'why, for the ledger', required: true }),
  }

  async execute(): Promise<Outcome> {
    const { args, flags } = await this.parse(Suspend)
    const address = addressOf(args.address)
    durationOf(flags.for)
    return this.withDoor(flags, '.', async (door) => {
      const suspension = await door.ask<{ until: string }>('POST', `${oneResource}/suspend`, {
        params: partsOf(address),
        body: { reason: flags.reason, for: flags.for },
      })
      return { text: `${address} is suspended until ${suspension.until}`, json: suspension }
    })
  }
}
