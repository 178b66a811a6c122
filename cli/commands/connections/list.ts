import { listConnections } from '../../../controller/operations/connections.ts'
import type { Outcome } from '../../base-command.ts'
import { EngineCommand } from '../../engine-command.ts'
import { scopeFlags } from '../../scope-flags.ts'
import { connectionJson, renderConnections } from '../../views/connections.ts'
import { listJson } from '../../views/table.ts'

export default class ConnectionsList extends EngineCommand {
  static override summary = 'List applied connections: where they go, and whether they have what they need.'
  static override flags = { tenant: scopeFlags.tenant }

  async execute(): Promise<Outcome> {
    const { flags } = await this.parse(ConnectionsList)
    return this.withEngine(flags, '.', async (engine) => {
      const connections = await listConnections(engine, flags.tenant ?? null)
      return { text: renderConnections(connections), json: listJson(connections.map(connectionJson)) }
    })
  }
}
