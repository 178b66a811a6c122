import { Flags } from '@oclif/core'
import { eventJson } from '../../../controller/operations/event-objects.ts'
import { listEvents, type ShownEvent } from '../../../controller/operations/events.ts'
import type { Outcome } from '../../base-command.ts'
import { EngineCommand } from '../../engine-command.ts'
import { scopeFlags } from '../../scope-flags.ts'
import { renderEvents } from '../../views/events.ts'
import { listJson } from '../../views/table.ts'

const pageSize = 200

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
    const filter = {
      tenant: flags.tenant ?? null,
      eventType: flags.type ?? null,
      source: flags.source ?? null,
      correlationId: flags.correlation ?? null,
    }
    return this.withEngine(flags, '.', async (engine) => {
      const events: ShownEvent[] = []
      for (let before: string | null = null; ; ) {
        const size = Math.min(pageSize, (flags.limit ?? Number.POSITIVE_INFINITY) - events.length)
        const page: ShownEvent[] = size > 0 ? await listEvents(engine, filter, before, size) : []
        events.push(...page)
        if (page.length < size || size <= 0) break
        before = page.at(-1)!.envelope.event_id
      }
      return { text: renderEvents(events), json: listJson(events.map(eventJson)) }
    })
  }
}
