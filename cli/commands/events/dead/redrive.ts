import { Args, Flags } from '@oclif/core'
import { deadLetterReasons } from '../../../../controller/domain/dead-letter.ts'
import { FibricError } from '../../../../controller/domain/errors.ts'
import type { Door } from '../../../../controller/door/door.ts'
import type { DeadLetterShown } from '../../../../controller/operations/event-objects.ts'
import type { Outcome } from '../../../base-command.ts'
import { EngineCommand } from '../../../engine-command.ts'
import { scopeFlags } from '../../../scope-flags.ts'
import { type Redriven, renderRedriven } from '../../../views/events.ts'

const allMax = 500

export default class EventsDeadRedrive extends EngineCommand {
  static override summary = 'Deliver a dead letter again, once; or with --all those that `events dead list` shows.'
  static override description =
    'What came in becomes an event by what is applied now: correct the connector first. A run that died runs again over its event, with the same keys. With --all the newest are delivered in the order in which they came; exit 1 when one could not be.'
  static override examples = [
    '<%= config.bin %> events dead redrive dl_0190…',
    '<%= config.bin %> events dead redrive --all --tenant acme --reason validation_failed',
  ]
  static override args = { id: Args.string({ description: 'dl_…' }) }
  static override flags = {
    all: Flags.boolean({ description: 'every one that was not delivered again, as the filters narrow them' }),
    tenant: scopeFlags.tenant,
    reason: Flags.string({
      description: 'with --all: those kept for this reason',
      options: [...deadLetterReasons],
      dependsOn: ['all'],
    }),
    limit: Flags.integer({ description: 'with --all: this many at most', min: 1, max: 10_000, default: allMax }),
  }

  async execute(): Promise<Outcome> {
    const { args, flags } = await this.parse(EventsDeadRedrive)
    if ((args.id === undefined) !== flags.all) {
      throw new FibricError('USAGE', 'either one dead letter is named, or all are meant', {
        hint: 'say dl_…, or --all; see them with: fibric events dead list',
      })
    }
    return this.withDoor(flags, '.', async (door) => {
      if (args.id === undefined) return redriveAll(door, flags)
      const letter = await redrive(door, args.id)
      return { text: `${letter.id} is ${letter.redriven_to} now`, json: letter }
    })
  }
}

interface Narrowed {
  readonly tenant?: string | undefined
  readonly reason?: string | undefined
  readonly limit: number
}

async function redriveAll(door: Door, { tenant, reason, limit }: Narrowed): Promise<Outcome> {
  const { data } = await door.list<DeadLetterShown>('/v1/events/dead-letters', { query: { tenant, reason } }, limit + 1)
  const done: Redriven[] = []
  for (const { id } of data.slice(0, limit).reverse()) {
    try {
      done.push({ object: 'redriven', id, became: (await redrive(door, id)).redriven_to, error: null })
    } catch (error) {
      if (!(error instanceof FibricError)) throw error
      const stops = ofTheCaller.includes(error.code)
      // Nothing was done yet: it is the command that failed, not a letter.
      if (stops && done.length === 0) throw error
      const { code, message, hint } = error
      done.push({ object: 'redriven', id, became: null, error: { code, message, hint } })
      if (stops) break
    }
  }
  const hasMore = data.length > done.length
  const json = { object: 'list', data: done, has_more: hasMore, next_cursor: null }
  return { text: renderRedriven(done, hasMore), json, exit: done.some(({ error }) => error !== null) ? 1 : 0 }
}

/** What every further letter would fail of too. */
const ofTheCaller: readonly string[] = [
  ...['SERVER_UNREACHABLE', 'SERVICE_UNAVAILABLE', 'RATE_LIMITED', 'INSUFFICIENT_SCOPE'],
  ...['KEY_INVALID', 'KEY_REVOKED', 'KEY_EXPIRED'],
]

function redrive(door: Door, id: string): Promise<DeadLetterShown> {
  return door.ask<DeadLetterShown>('POST', '/v1/events/dead-letters/{id}/redrive', { params: { id } })
}
