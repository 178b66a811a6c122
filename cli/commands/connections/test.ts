import { Args, Flags } from '@oclif/core'
import { testConnection } from '../../../controller/operations/connections.ts'
import type { Outcome } from '../../base-command.ts'
import { EngineCommand } from '../../engine-command.ts'
import { connectionJson, renderProbe } from '../../views/connections.ts'

export default class ConnectionsTest extends EngineCommand {
  static override summary = "Make the request of a connector's probe, with the connection's own credential."
  static override examples = ['<%= config.bin %> connections test magento --tenant acme']
  static override args = { name: Args.string({ description: 'name of the connection', required: true }) }
  static override flags = {
    tenant: Flags.string({ description: 'its tenant (FIBRIC_TENANT)', env: 'FIBRIC_TENANT', required: true }),
  }

  async execute(): Promise<Outcome> {
    const { args, flags } = await this.parse(ConnectionsTest)
    return this.withEngine(flags, '.', async (engine) => {
      const { connection, probe } = await testConnection(engine, flags.tenant, args.name)
      return {
        text: renderProbe(connection, probe),
        json: { ...connectionJson(connection), probe },
        exit: probe.kind === 'failed' ? 1 : 0,
      }
    })
  }
}
