import { Args } from '@oclif/core'
import type { Slug } from '../../../controller/domain/ids.ts'
import { endKey } from '../../../controller/operations/keys.ts'
import type { Outcome } from '../../base-command.ts'
import { EngineCommand } from '../../engine-command.ts'
import { scopeFlags } from '../../scope-flags.ts'

export default class KeysRevoke extends EngineCommand {
  static override summary = 'Revoke an API key, at once and for ever.'
  static override args = { id: Args.string({ description: 'key_…', required: true }) }
  static override flags = { tenant: scopeFlags.tenant }

  async execute(): Promise<Outcome> {
    const { args, flags } = await this.parse(KeysRevoke)
    return this.withEngine(flags, '.', async (engine) => {
      await endKey(engine, (flags.tenant ?? '_platform') as Slug, args.id)
      return { text: `${args.id} is revoked`, json: { object: 'api_key', id: args.id, revoked: true } }
    })
  }
}
