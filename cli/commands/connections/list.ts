import type { ConnectionShown } from '../../../controller/operations/effect-objects.ts'
import type { Outcome } from '../../base-command.ts'
import { EngineCommand } from '../../engine-command.ts'
import { scopeFlags } from '../../scope-flags.ts'
import { renderConnections } from '../../views/connections.ts'

export default class ConnectionsList extends EngineCommand {
  static override summary = 'List applied connections: where they go, and whether they have what they need.'
  static override flags = { tenant: scopeFlags.tenant }

  async execute(): Promise<Outcome> {
    const { flags } = await this.parse(ConnectionsList)
    return this.withDoor(flags, '.', async (door) => {
      const connections = await door.list<ConnectionShown>('/v1/connections', { query: { tenant: flags.tenant } })
      return { text: renderConnections(connections.data), json: connections }
    })
  }
}
