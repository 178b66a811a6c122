import type { SecretShown } from '../../../controller/operations/objects.ts'
import type { Outcome } from '../../base-command.ts'
import { EngineCommand } from '../../engine-command.ts'
import { scopeFlags } from '../../scope-flags.ts'
import { renderSecrets } from '../../views/secrets.ts'

export default class SecretsList extends EngineCommand {
  static override summary = 'List the secrets by name, field and version. Values have no way back out.'
  static override flags = {
    tenant: scopeFlags.tenant,
  }

  async execute(): Promise<Outcome> {
    const { flags } = await this.parse(SecretsList)
    return this.withDoor(flags, '.', async (door) => {
      const secrets = await door.list<SecretShown>('/v1/tenant/secrets', { query: { tenant: flags.tenant } })
      return { text: renderSecrets(secrets.data), json: secrets }
    })
  }
}
