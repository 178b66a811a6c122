import { Flags } from '@oclif/core'
import { FibricError } from '../../../controller/domain/errors.ts'
import { replayJson } from '../../../controller/operations/event-objects.ts'
import { replayEvents } from '../../../controller/operations/replay.ts'
import { durationMs } from '../../../schemas/index.ts'
import type { Outcome } from '../../base-command.ts'
import { EngineCommand } from '../../engine-command.ts'
import { scopeFlags } from '../../scope-flags.ts'
import { renderReplay } from '../../views/events.ts'

export default class EventsReplay extends EngineCommand {
  static override summary = 'Deliver stored events to a consumer again; --dry-run says which.'
  static override description =
    'New deliveries with the same idempotency keys: what was applied is deduplicated, what was refused or failed is judged anew.'
  static override examples = [
    '<%= config.bin %> events replay --tenant acme --to operator:order-risk --since 2h --type "order.*" --dry-run',
  ]
  static override flags = {
    tenant: scopeFlags.tenant,
    to: Flags.string({ description: 'the consumer that gets them', required: true }),
    since: Flags.string({ description: 'received at this time or later: 2h, 7d, or 2026-11-01T00:00:00Z' }),
    until: Flags.string({ description: 'received before this time' }),
    type: Flags.string({ description: 'events whose type matches this glob', multiple: true, multipleNonGreedy: true }),
    'dry-run': Flags.boolean({ description: 'only say what would be delivered' }),
  }

  async execute(): Promise<Outcome> {
    const { flags } = await this.parse(EventsReplay)
    return this.withEngine(flags, '.', async (engine) => {
      const replay = await replayEvents(engine, {
        tenant: flags.tenant ?? null,
        consumer: flags.to,
        since: instantOf(flags.since, engine.clock()),
        until: instantOf(flags.until, engine.clock()),
        types: flags.type ?? [],
        dryRun: flags['dry-run'],
      })
      return { text: renderReplay(replay), json: replayJson(replay) }
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
