import { readFileSync } from 'node:fs'
import { Args, Flags } from '@oclif/core'
import { FibricError } from '../../../controller/domain/errors.ts'
import type { EventShown } from '../../../controller/operations/event-objects.ts'
import type { Outcome } from '../../base-command.ts'
import { EngineCommand } from '../../engine-command.ts'
import { scopeFlags } from '../../scope-flags.ts'

export default class EventsSend extends EngineCommand {
  static override summary = 'Send an event. It is stored when the command ends.'
  static override description =
    'With --key the same content again answers the first event, and other content is refused: a key binds for a week at least.'
  static override examples = [
    `<%= config.bin %> events send order.created --tenant acme --payload '{"order_id": "1001"}' --key order-1001`,
    '<%= config.bin %> events send zone.temperature --tenant acme --payload - < reading.json',
  ]
  static override args = { type: Args.string({ description: 'event type: order.created', required: true }) }
  static override flags = {
    tenant: scopeFlags.tenant,
    payload: Flags.string({ description: 'a JSON object; - reads it from stdin', default: '{}' }),
    source: Flags.string({ description: 'where it comes from', default: 'cli' }),
    key: Flags.string({ description: 'idempotency key, within the tenant and the source' }),
    correlation: Flags.string({ description: 'correlation id; a new one unless given' }),
  }

  async execute(): Promise<Outcome> {
    const { args, flags } = await this.parse(EventsSend)
    const payload = flags.payload === '-' ? readFileSync(0, 'utf8') : flags.payload
    const body = bodyOf(payload, {
      event_type: args.type,
      source: flags.source,
      correlation_id: flags.correlation ?? null,
    })
    return this.withDoor(flags, '.', async (door) => {
      const event = await door.ask<EventShown>('POST', '/v1/events', {
        query: { tenant: flags.tenant },
        raw: { bytes: body, contentType: 'application/json', key: flags.key ?? null },
      })
      return { text: `${event.id} of ${event.tenant}`, json: event }
    })
  }
}

/** The payload goes in as it was written: reading and writing it again could round its numbers. */
function bodyOf(payload: string, fields: { readonly [name: string]: string | null }): Buffer {
  try {
    JSON.parse(payload)
  } catch (cause) {
    throw new FibricError('USAGE', 'the payload is not JSON', {
      hint: `write it as --payload '{"order_id": "1001"}'`,
      cause,
    })
  }
  return Buffer.from(`${JSON.stringify(fields).slice(0, -1)},"payload":${payload}}`, 'utf8')
}
