import { Args } from '@oclif/core'
import type { Outcome } from '../base-command.ts'
import { EngineCommand } from '../engine-command.ts'
import { addressOf, oneResource, partsOf } from '../scope-flags.ts'

export default class Resume extends EngineCommand {
  static override summary = 'End the suspension of a resource before its date.'
  static override args = { address: Args.string({ description: '<tenant>/<Kind>/<name>', required: true }) }

  async execute(): Promise<Outcome> {
    const { args, flags } = await this.parse(Resume)
    const address = addressOf(args.address)
    return this.withDoor(flags, '.', async (door) => {
      const json = await door.ask('POST', `${oneResource}/resume`, { params: partsOf(address) })
      return { text: `${address} is no longer suspended`, json }
    })
  }
}
