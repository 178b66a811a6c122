import { Flags } from '@oclif/core'
import { FibricError } from '../../../controller/domain/errors.ts'
import type { EventShown } from '../../../controller/operations/event-objects.ts'
import type { Outcome } from '../../base-command.ts'
import { wantsJson } from '../../command-line.ts'
import { EngineCommand } from '../../engine-command.ts'
import { scopeFlags } from '../../scope-flags.ts'
import { renderEventLine } from '../../views/events.ts'

export default class EventsTail extends EngineCommand {
  static override summary = 'Follow the event log until Ctrl-C: one line an event, in the order of the log.'
  static override description = 'Begins now, or after a position of one tenant. With --json one object a line.'
  static override examples = [
    '<%= config.bin %> events tail --tenant acme',
    '<%= config.bin %> events tail --tenant acme --after 0 --limit 10',
  ]
  static override flags = {
    tenant: scopeFlags.tenant,
    after: Flags.integer({ description: 'begin after this position; needs --tenant', min: 0 }),
    limit: Flags.integer({ description: 'end after this many', min: 1 }),
  }

  async execute(): Promise<Outcome> {
    const { flags } = await this.parse(EventsTail)
    if (flags.after !== undefined && flags.tenant === undefined) {
      throw new FibricError('USAGE', '`--after` is a position in the log of one tenant', { hint: 'add --tenant' })
    }
    const stopping = new AbortController()
    const stop = (): void => stopping.abort()
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, stop)
    // A pipe whose reader has gone ends the following.
    process.stdout.once('error', stop)
    const json = wantsJson(this.argv)
    return this.withDoor(flags, '.', async (door) => {
      const query = { tenant: flags.tenant, after: flags.after === undefined ? null : String(flags.after) }
      let count = 0
      for await (const event of door.follow<EventShown>('/v1/events/stream', { query }, stopping.signal)) {
        process.stdout.write(`${json ? JSON.stringify(event) : renderEventLine(event)}\n`)
        if (++count === flags.limit) break
      }
      return { text: '', json: { object: 'tail', count } }
    })
  }
}
