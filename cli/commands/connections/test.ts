import { Args } from '@oclif/core'
import type { Probe } from '../../../controller/operations/connections.ts'
import type { ConnectionShown } from '../../../controller/operations/effect-objects.ts'
import type { Outcome } from '../../base-command.ts'
import { EngineCommand } from '../../engine-command.ts'
import { scopeFlags } from '../../scope-flags.ts'
import { renderProbe } from '../../views/connections.ts'

export default class ConnectionsTest extends EngineCommand {
  static override summary = "Make the request of a connector's probe, with the connection's own credential."
  static override examples = ['<%= config.bin %> connections test magento --tenant acme']
  static override args = { name: Args.string({ description: 'name of the connection', required: true }) }
  static override flags = {
    tenant: scopeFlags.onlyTenant,
  }

  async execute(): Promise<Outcome> {
    const { args, flags } = await this.parse(ConnectionsTest)
    return this.withDoor(flags, '.', async (door) => {
      const asked = { params: { name: args.name }, query: { tenant: flags.tenant } }
      const tested = await door.ask<ConnectionShown & { probe: Probe }>('POST', '/v1/connections/{name}/test', asked)
      return {
        text: renderProbe(tested, tested.probe),
        json: tested,
        exit: tested.probe.kind === 'failed' ? 1 : 0,
      }
    })
  }
}
