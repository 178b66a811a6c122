import { Args } from '@oclif/core'
import type { Outcome } from '../../base-command.ts'
import { EngineCommand } from '../../engine-command.ts'
import { scopeFlags } from '../../scope-flags.ts'

export default class KeysRevoke extends EngineCommand {
  static override summary = 'Revoke an API key, at once and for ever.'
  static override args = { id: Args.string({ description: 'key_…', required: true }) }
  static override flags = { tenant: scopeFlags.tenant }

  async execute(): Promise<Outcome> {
    const { args, flags } = await this.parse(KeysRevoke)
    return this.withDoor(flags, '.', async (door) => {
      const asked = { params: { id: args.id }, query: { tenant: flags.tenant } }
      return { text: `${args.id} is revoked`, json: await door.ask('DELETE', '/v1/tenant/keys/{id}', asked) }
    })
  }
}
