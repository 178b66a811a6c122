import { Flags } from '@oclif/core'
import { deadLetterReasons } from '../../../../controller/domain/dead-letter.ts'
import type { DeadLetterShown } from '../../../../controller/operations/event-objects.ts'
import type { Outcome } from '../../../base-command.ts'
import { EngineCommand } from '../../../engine-command.ts'
import { scopeFlags } from '../../../scope-flags.ts'
import { renderDeadLetters } from '../../../views/events.ts'

export default class EventsDeadList extends EngineCommand {
  static override summary = 'List what was received and could not be processed, newest first.'
  static override description =
    'Webhooks that conflict or do not fit, items of polls, ticks, and events whose run died five times.'
  static override flags = {
    tenant: scopeFlags.tenant,
    all: Flags.boolean({ description: 'also those that were delivered again' }),
    reason: Flags.string({ description: 'those kept for this reason', options: [...deadLetterReasons] }),
    limit: Flags.integer({ description: 'this many only', min: 1 }),
  }

  async execute(): Promise<Outcome> {
    const { flags } = await this.parse(EventsDeadList)
    const query = { tenant: flags.tenant, all: flags.all ? 'true' : undefined, reason: flags.reason }
    return this.withDoor(flags, '.', async (door) => {
      const letters = await door.list<DeadLetterShown>('/v1/events/dead-letters', { query }, flags.limit)
      return { text: renderDeadLetters(letters.data), json: letters }
    })
  }
}
