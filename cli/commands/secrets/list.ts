import { Flags } from '@oclif/core'
import { showSecrets } from '../../../controller/operations/secrets.ts'
import type { Outcome } from '../../base-command.ts'
import { EngineCommand } from '../../engine-command.ts'
import { renderSecrets, secretJson } from '../../views/secrets.ts'
import { listJson } from '../../views/table.ts'

export default class SecretsList extends EngineCommand {
  static override summary = 'List the secrets of a domain by name, field and version. Values have no way back out.'
  static override flags = {
    tenant: Flags.string({
      description: 'domain of the secrets (FIBRIC_TENANT)',
      env: 'FIBRIC_TENANT',
      required: true,
    }),
  }

  async execute(): Promise<Outcome> {
    const { flags } = await this.parse(SecretsList)
    return this.withEngine(flags, '.', async (engine) => {
      const secrets = await showSecrets(engine, flags.tenant)
      return { text: renderSecrets(secrets), json: listJson(secrets.map(secretJson)) }
    })
  }
}
