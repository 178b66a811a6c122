import { Args, Flags } from '@oclif/core'
import type { WrittenSecretShown } from '../../../controller/operations/objects.ts'
import type { Outcome } from '../../base-command.ts'
import { EngineCommand } from '../../engine-command.ts'
import { readSecretValue } from '../../read-secret.ts'
import { renderWritten } from '../../views/secrets.ts'

export default class SecretsSet extends EngineCommand {
  static override summary =
    'Set a secret. Its value comes from stdin or a prompt, never from an argument, and is never shown.'
  static override examples = [
    '<%= config.bin %> secrets set magento-main --tenant acme < key.txt',
    '<%= config.bin %> secrets set crm.client_secret --tenant acme',
  ]
  static override args = {
    name: Args.string({ description: 'NAME or NAME.FIELD; the field is `value` unless said', required: true }),
  }
  static override flags = {
    tenant: Flags.string({ description: 'domain of the secret (FIBRIC_TENANT)', env: 'FIBRIC_TENANT', required: true }),
  }

  async execute(): Promise<Outcome> {
    const { args, flags } = await this.parse(SecretsSet)
    const value = await readSecretValue(`${args.name} of ${flags.tenant}`)
    return this.withDoor(flags, '.', async (door) => {
      const written = await door.ask<WrittenSecretShown>('PUT', '/v1/tenant/secrets/{name}', {
        params: { name: args.name },
        query: { tenant: flags.tenant },
        body: { value: value.toString('base64'), encoding: 'base64' },
      })
      return { text: renderWritten(written), json: written }
    })
  }
}
