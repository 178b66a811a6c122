import { Args } from '@oclif/core'
import type { Outcome } from '../base-command.ts'
import { EngineCommand } from '../engine-command.ts'
import { addressOf, partsOf } from '../scope-flags.ts'

export default class WhyWaiting extends EngineCommand {
  static override summary = 'Say what keeps a resource from moving on, and what would end the wait.'
  static override examples = ['<%= config.bin %> why-waiting acme/Operator/order-risk']
  static override args = { address: Args.string({ description: '<tenant>/<Kind>/<name>', required: true }) }

  async execute(): Promise<Outcome> {
    const { args, flags } = await this.parse(WhyWaiting)
    const address = addressOf(args.address)
    return this.withDoor(flags, '.', async (door) => {
      const asked = { params: partsOf(address) }
      const waits = await door.list<{ message: string }>('/v1/config/waiting/{tenant}/{kind}/{name}', asked)
      const reasons = waits.data.map(({ message }) => message)
      return { text: reasons.length === 0 ? `Nothing waits at ${address}.` : reasons.join('\n'), json: waits }
    })
  }
}
