import { Args } from '@oclif/core'
import { resume } from '../../controller/operations/runtime-records.ts'
import type { Outcome } from '../base-command.ts'
import { EngineCommand } from '../engine-command.ts'
import { addressOf } from '../scope-flags.ts'

export default class Resume extends EngineCommand {
  static override summary = 'End the suspension of a resource before its date.'
  static override args = { address: Args.string({ description: '<tenant>/<Kind>/<name>', required: true }) }

  async execute(): Promise<Outcome> {
    const { args, flags } = await this.parse(Resume)
    const address = addressOf(args.address)
    return this.withEngine(flags, '.', async (engine) => {
      await resume(engine, address)
      return { text: `${address} is no longer suspended`, json: { object: 'suspension', address, until: null } }
    })
  }
}
