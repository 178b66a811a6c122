import { Args, Flags } from '@oclif/core'
import type { Outcome } from '../../base-command.ts'
import { EngineCommand } from '../../engine-command.ts'

export default class SecretsDelete extends EngineCommand {
  static override summary = 'Destroy a secret, every version of it, at once and for ever.'
  static override args = {
    name: Args.string({ description: 'NAME for all its fields, or NAME.FIELD', required: true }),
  }
  static override flags = {
    tenant: Flags.string({ description: 'domain of the secret (FIBRIC_TENANT)', env: 'FIBRIC_TENANT', required: true }),
  }

  async execute(): Promise<Outcome> {
    const { args, flags } = await this.parse(SecretsDelete)
    return this.withDoor(flags, '.', async (door) => {
      const asked = { params: { name: args.name }, query: { tenant: flags.tenant } }
      const json = await door.ask('DELETE', '/v1/tenant/secrets/{name}', asked)
      return { text: `${args.name} of ${flags.tenant} is destroyed`, json }
    })
  }
}
