import { Args, Flags } from '@oclif/core'
import type { WrittenSecretShown } from '../../../controller/operations/objects.ts'
import type { Outcome } from '../../base-command.ts'
import { durationOf } from '../../durations.ts'
import { EngineCommand } from '../../engine-command.ts'
import { readSecretValue } from '../../read-secret.ts'
import { renderWritten } from '../../views/secrets.ts'

interface Rotated {
  readonly to: string
  readonly versions: number
}

export default class SecretsRotate extends EngineCommand {
  static override summary =
    'Give a secret its next version while the one before stays good; without a name, give the domain its next key.'
  static override examples = [
    '<%= config.bin %> secrets rotate shop.webhook --tenant acme --keep 48h < next.txt',
    '<%= config.bin %> secrets rotate --tenant acme',
  ]
  static override args = { name: Args.string({ description: 'NAME or NAME.FIELD; absent: the key of the domain' }) }
  static override flags = {
    tenant: Flags.string({ description: 'domain of the secret (FIBRIC_TENANT)', env: 'FIBRIC_TENANT', required: true }),
    keep: Flags.string({ description: 'how long the version before stays good', default: '24h' }),
  }

  async execute(): Promise<Outcome> {
    const { args, flags } = await this.parse(SecretsRotate)
    const { name } = args
    if (name === undefined) {
      return this.withDoor(flags, '.', async (door) => {
        const query = { tenant: flags.tenant }
        const rotated = await door.ask<Rotated>('POST', '/v1/tenant/secrets/rotate', { query })
        const text = `The key of ${flags.tenant} is ${rotated.to}; ${rotated.versions} values were wrapped anew`
        return { text, json: rotated }
      })
    }
    durationOf(flags.keep)
    const value = await readSecretValue(`${name} of ${flags.tenant}`)
    return this.withDoor(flags, '.', async (door) => {
      const written = await door.ask<WrittenSecretShown>('PUT', '/v1/tenant/secrets/{name}', {
        params: { name },
        query: { tenant: flags.tenant },
        body: { value: value.toString('base64'), encoding: 'base64', keep_previous: flags.keep },
      })
      return { text: renderWritten(written), json: written }
    })
  }
}
