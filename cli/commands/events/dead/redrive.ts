import { Args } from '@oclif/core'
import type { DeadLetterShown } from '../../../../controller/operations/event-objects.ts'
import type { Outcome } from '../../../base-command.ts'
import { EngineCommand } from '../../../engine-command.ts'

export default class EventsDeadRedrive extends EngineCommand {
  static override summary = 'Deliver a dead letter again, once.'
  static override description =
    'What came in becomes an event by what is applied now: correct the connector first. A run that died runs again over its event, with the same keys.'
  static override examples = ['<%= config.bin %> events dead redrive dl_0190…']
  static override args = { id: Args.string({ description: 'dl_…', required: true }) }

  async execute(): Promise<Outcome> {
    const { args, flags } = await this.parse(EventsDeadRedrive)
    return this.withDoor(flags, '.', async (door) => {
      const letter = await door.ask<DeadLetterShown>('POST', '/v1/events/dead-letters/{id}/redrive', {
        params: { id: args.id },
      })
      return { text: `${letter.id} is ${letter.redriven_to} now`, json: letter }
    })
  }
}
