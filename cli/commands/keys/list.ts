import type { KeyShown } from '../../../controller/operations/objects.ts'
import type { Outcome } from '../../base-command.ts'
import { EngineCommand } from '../../engine-command.ts'
import { scopeFlags } from '../../scope-flags.ts'
import { renderKeys } from '../../views/keys.ts'

export default class KeysList extends EngineCommand {
  static override summary = 'List the API keys, revoked ones included.'
  static override flags = { tenant: scopeFlags.tenant }

  async execute(): Promise<Outcome> {
    const { flags } = await this.parse(KeysList)
    return this.withDoor(flags, '.', async (door) => {
      const keys = await door.list<KeyShown>('/v1/tenant/keys', { query: { tenant: flags.tenant } })
      return { text: renderKeys(keys.data), json: keys }
    })
  }
}
