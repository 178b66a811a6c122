import { Flags } from '@oclif/core'
import { FibricError } from '../../controller/domain/errors.ts'
import type { Door } from '../../controller/door/door.ts'
import type { StopShown } from '../../controller/operations/objects.ts'
import type { Outcome } from '../base-command.ts'
import { EngineCommand } from '../engine-command.ts'
import { type Stopped, sayStop, stopFlags, stoppedOf } from '../stop-flags.ts'
import { renderTable } from '../views/table.ts'

export default class Stop extends EngineCommand {
  static override summary = 'Stop the effects of a tenant, operator, capability or connection, within a second.'
  static override description =
    'Outranks every rule and only narrows: what is under way ends as it will, everything else waits until `start`.'
  static override examples = [
    '<%= config.bin %> stop --tenant acme --reason "incident 42"',
    '<%= config.bin %> stop --tenant acme --capability "refund.*" --reason "incident 42"',
    '<%= config.bin %> stop --list',
  ]
  static override flags = {
    ...stopFlags,
    reason: Flags.string({ description: 'why, for the ledger' }),
    list: Flags.boolean({ description: 'show what is stopped' }),
  }

  async execute(): Promise<Outcome> {
    const { flags } = await this.parse(Stop)
    return this.withDoor(flags, '.', async (door) => {
      if (flags.list) {
        const stops = await door.list<StopShown>('/v1/stops', { query: { tenant: flags.tenant } })
        const rows = stops.data.map((each) => [
          each.tenant,
          each.scope,
          each.scope === 'tenant' ? '-' : each.name,
          each.person,
          each.created_at,
          each.reason,
        ])
        const text =
          stops.data.length === 0
            ? 'Nothing is stopped.'
            : renderTable(['TENANT', 'SCOPE', 'NAME', 'BY', 'SINCE', 'WHY'], rows)
        return { text, json: stops }
      }
      const what = stoppedOf(flags)
      if (flags.reason === undefined) {
        throw new FibricError('USAGE', 'a stop needs a reason', { hint: 'say why: --reason "incident 42"' })
      }
      const asked = { query: { tenant: flags.tenant }, body: { ...what, reason: flags.reason } }
      const json = await door.ask<StopShown>('POST', '/v1/stops', asked)
      const { tenant } = json
      const notes = await misnamed(door, tenant, what)
      return {
        text: `Stopped: ${sayStop(what, tenant)}. Way back: fibric start with the same flags.`,
        json,
        ...(notes !== null && { notes }),
      }
    })
  }
}

/** What has no name that is applied may still have actions that wait, so it is stopped all the same; but it may be a slip. */
async function misnamed(door: Door, tenant: string, what: Stopped): Promise<string | null> {
  if (what.scope !== 'operator' && what.scope !== 'connection') return null
  const { data } = await door.list<{ name?: string; address?: string }>(`/v1/${what.scope}s`, { query: { tenant } })
  const last = (name: string | undefined): string | undefined => name?.split('/').at(-1)
  if (data.some(({ name, address }) => last(address ?? name) === last(what.name))) return null
  return `warning: no ${what.scope} of \`${tenant}\` is called \`${what.name}\` now: fibric ${what.scope}s list --tenant ${tenant}`
}
