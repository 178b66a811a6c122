import { Flags } from '@oclif/core'
import type { EventShown } from '../../../controller/operations/event-objects.ts'
import type { Outcome } from '../../base-command.ts'
import { EngineCommand } from '../../engine-command.ts'
import { scopeFlags } from '../../scope-flags.ts'
import { renderEvents } from '../../views/events.ts'

export default class EventsList extends EngineCommand {
  static override summary = 'List the event log, newest first.'
  static override examples = ['<%= config.bin %> events list --tenant acme --type order.created --limit 20']
  static override flags = {
    tenant: scopeFlags.tenant,
    type: Flags.string({ description: 'this event type only' }),
    source: Flags.string({ description: 'this source only' }),
    correlation: Flags.string({ description: 'this correlation id only' }),
    limit: Flags.integer({ description: 'this many only', min: 1 }),
  }

  async execute(): Promise<Outcome> {
    const { flags } = await this.parse(EventsList)
    const query = {
      tenant: flags.tenant,
      event_type: flags.type,
      source: flags.source,
      correlation_id: flags.correlation,
    }
    return this.withDoor(flags, '.', async (door) => {
      const events = await door.list<EventShown>('/v1/events', { query }, flags.limit)
      return { text: renderEvents(events.data), json: events }
    })
  }
}
