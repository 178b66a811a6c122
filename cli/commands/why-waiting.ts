import { Args } from '@oclif/core'
import { whyWaiting } from '../../controller/operations/waiting.ts'
import type { Outcome } from '../base-command.ts'
import { EngineCommand } from '../engine-command.ts'
import { addressOf } from '../scope-flags.ts'
import { listJson } from '../views/table.ts'

export default class WhyWaiting extends EngineCommand {
  static override summary = 'Say what keeps a resource from moving on, and what would end the wait.'
  static override examples = ['<%= config.bin %> why-waiting acme/Operator/order-risk']
  static override args = { address: Args.string({ description: '<tenant>/<Kind>/<name>', required: true }) }

  async execute(): Promise<Outcome> {
    const { args, flags } = await this.parse(WhyWaiting)
    const address = addressOf(args.address)
    return this.withEngine(flags, '.', async (engine) => {
      const reasons = await whyWaiting(engine, address)
      const text = reasons.length === 0 ? `Nothing waits at ${address}.` : reasons.join('\n')
      return { text, json: listJson(reasons.map((message) => ({ object: 'wait', address, message }))) }
    })
  }
}
