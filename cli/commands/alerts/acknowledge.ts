import { Args, Flags } from '@oclif/core'
import type { AlertShown } from '../../../controller/operations/effect-objects.ts'
import type { Outcome } from '../../base-command.ts'
import { EngineCommand } from '../../engine-command.ts'
import { renderAlerts } from '../../views/alerts.ts'

export default class AlertsAcknowledge extends EngineCommand {
  static override summary = 'Say that you saw an alert: it is listed no more, and the ledger names you.'
  static override examples = ['<%= config.bin %> alerts acknowledge al_0190… --reason "the customer asked for it"']
  static override args = { id: Args.string({ description: 'al_…', required: true }) }
  static override flags = { reason: Flags.string({ description: 'why, for the ledger', required: true }) }

  async execute(): Promise<Outcome> {
    const { args, flags } = await this.parse(AlertsAcknowledge)
    const asked = { params: { id: args.id }, body: { reason: flags.reason } }
    return this.withDoor(flags, '.', async (door) => {
      const alert = await door.ask<AlertShown>('POST', '/v1/alerts/{id}/acknowledge', asked)
      return { text: renderAlerts([alert]), json: alert }
    })
  }
}
