import { Flags } from '@oclif/core'
import type { AlertShown } from '../../../controller/operations/effect-objects.ts'
import type { Outcome } from '../../base-command.ts'
import { EngineCommand } from '../../engine-command.ts'
import { scopeFlags } from '../../scope-flags.ts'
import { renderAlerts } from '../../views/alerts.ts'

export default class AlertsList extends EngineCommand {
  static override summary = 'List what ran under a rule that notifies, and nobody has acknowledged.'
  static override examples = ['<%= config.bin %> alerts list --tenant acme']
  static override flags = {
    tenant: scopeFlags.tenant,
    all: Flags.boolean({ description: 'those that were acknowledged as well' }),
  }

  async execute(): Promise<Outcome> {
    const { flags } = await this.parse(AlertsList)
    return this.withDoor(flags, '.', async (door) => {
      const query = { tenant: flags.tenant, all: flags.all ? true : undefined }
      const alerts = await door.list<AlertShown>('/v1/alerts', { query })
      return { text: renderAlerts(alerts.data), json: alerts }
    })
  }
}
