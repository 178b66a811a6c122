import { Args } from '@oclif/core'
import { parseAddress } from '../../controller/domain/address.ts'
import type { Address } from '../../controller/domain/ids.ts'
import type { Outcome } from '../base-command.ts'
import { EngineCommand } from '../engine-command.ts'
import { partsOf } from '../scope-flags.ts'

interface Wait {
  readonly message: string
}

export default class WhyWaiting extends EngineCommand {
  static override summary =
    'Say what keeps a resource, an action or an entity from moving on, and what would end the wait.'
  static override examples = [
    '<%= config.bin %> why-waiting acme/Operator/order-risk',
    '<%= config.bin %> why-waiting act_0190…',
    '<%= config.bin %> why-waiting order:1001',
  ]
  static override args = {
    address: Args.string({
      description: '<tenant>/<Kind>/<name>, act_…, pl_… or the key of an entity',
      required: true,
    }),
  }

  async execute(): Promise<Outcome> {
    const { args, flags } = await this.parse(WhyWaiting)
    const { address: id } = args
    return this.withDoor(flags, '.', async (door) => {
      const waits = parseAddress(id)
        ? await door.list<Wait>('/v1/config/waiting/{tenant}/{kind}/{name}', { params: partsOf(id as Address) })
        : await door.list<Wait>('/v1/actions/waiting', { query: { of: id } })
      const reasons = waits.data.map(({ message }) => message)
      return { text: reasons.length === 0 ? `Nothing waits at ${id}.` : reasons.join('\n'), json: waits }
    })
  }
}
