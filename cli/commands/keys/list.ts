import type { Slug } from '../../../controller/domain/ids.ts'
import { showKeys } from '../../../controller/operations/keys.ts'
import { keyJson } from '../../../controller/operations/objects.ts'
import type { Outcome } from '../../base-command.ts'
import { EngineCommand } from '../../engine-command.ts'
import { scopeFlags } from '../../scope-flags.ts'
import { renderKeys } from '../../views/keys.ts'
import { listJson } from '../../views/table.ts'

export default class KeysList extends EngineCommand {
  static override summary = 'List the API keys of a domain, revoked ones included.'
  static override flags = { tenant: scopeFlags.tenant }

  async execute(): Promise<Outcome> {
    const { flags } = await this.parse(KeysList)
    return this.withEngine(flags, '.', async (engine) => {
      const keys = await showKeys(engine, (flags.tenant ?? '_platform') as Slug)
      return { text: renderKeys(keys), json: listJson(keys.map(keyJson)) }
    })
  }
}
