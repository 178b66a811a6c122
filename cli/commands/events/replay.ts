import { Flags } from '@oclif/core'
import { FibricError } from '../../../controller/domain/errors.ts'
import type { List } from '../../../controller/door/door.ts'
import type { ReplayShown } from '../../../controller/operations/event-objects.ts'
import { durationMs } from '../../../schemas/index.ts'
import type { Outcome } from '../../base-command.ts'
import { EngineCommand } from '../../engine-command.ts'
import { scopeFlags } from '../../scope-flags.ts'
import { renderReplays } from '../../views/events.ts'

export default class EventsReplay extends EngineCommand {
  static override summary = 'Deliver stored events again; --dry-run says which, and to whom.'
  static override description =
    'To every operator that they trigger, or to those that are named. New deliveries with the same idempotency keys: what was applied is deduplicated, what was refused or failed is judged anew.'
  static override examples = [
    '<%= config.bin %> events replay --tenant acme --since 2h --dry-run',
    '<%= config.bin %> events replay --tenant acme --to order-risk --since 2h --type "order.*" --dry-run',
  ]
  static override flags = {
    tenant: scopeFlags.tenant,
    to: Flags.string({
      description: 'an operator that gets them, by name, or another consumer; default: all whose trigger matches now',
      multiple: true,
      multipleNonGreedy: true,
    }),
    since: Flags.string({ description: 'received at this time or later: 2h, 7d, or 2026-11-01T00:00:00Z' }),
    until: Flags.string({ description: 'received before this time' }),
    type: Flags.string({ description: 'events whose type matches this glob', multiple: true, multipleNonGreedy: true }),
    'dry-run': Flags.boolean({ description: 'only say what would be delivered' }),
  }

  async execute(): Promise<Outcome> {
    const { flags } = await this.parse(EventsReplay)
    const now = new Date()
    const since = instantOf(flags.since, now)
    const until = instantOf(flags.until, now)
    return this.withDoor(flags, '.', async (door) => {
      const replays = await door.ask<List<ReplayShown>>('POST', '/v1/events/replay', {
        query: { tenant: flags.tenant },
        body: {
          consumers: flags.to ?? [],
          ...(since !== null && { since }),
          ...(until !== null && { until }),
          types: flags.type ?? [],
          dry_run: flags['dry-run'],
        },
      })
      return { text: renderReplays(replays.data), json: replays }
    })
  }
}

function instantOf(text: string | undefined, now: Date): string | null {
  if (text === undefined) return null
  const ago = durationMs(text)
  const instant = ago === null ? new Date(text) : new Date(now.getTime() - ago)
  if (!Number.isNaN(instant.getTime())) return instant.toISOString()
  throw new FibricError('USAGE', `\`${text}\` is neither a duration nor a time`, {
    hint: 'write it as 2h, 7d or 2026-11-01T00:00:00Z',
  })
}
