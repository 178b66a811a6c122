import { Flags } from '@oclif/core'
import type { Door } from '../../../controller/door/door.ts'
import type { KeyShown } from '../../../controller/operations/objects.ts'
import type { Outcome } from '../../base-command.ts'
import { durationOf } from '../../durations.ts'
import { EngineCommand } from '../../engine-command.ts'
import { addressOf } from '../../scope-flags.ts'

export default class KeysCreate extends EngineCommand {
  static override summary = 'Make an API key. Its secret is shown once and kept nowhere.'
  static override examples = [
    '<%= config.bin %> keys create --tenant acme --role ingest --json',
    '<%= config.bin %> keys create --user _platform/User/ana --role operate',
  ]
  static override flags = {
    tenant: Flags.string({
      description: 'domain of the key; default: that of its user, else your own (FIBRIC_TENANT)',
      env: 'FIBRIC_TENANT',
    }),
    user: Flags.string({ description: 'the User it speaks for: an address, or a name in the domain' }),
    role: Flags.string({ description: 'read_only, ingest, operate or admin', required: true }),
    name: Flags.string({ description: 'what it is for' }),
    'expires-in': Flags.string({ description: 'a duration: 30d' }),
  }

  async execute(): Promise<Outcome> {
    const { flags } = await this.parse(KeysCreate)
    const expiresIn = flags['expires-in'] ?? null
    if (expiresIn !== null) durationOf(expiresIn)
    return this.withDoor(flags, '.', async (door) => {
      const domain = flags.tenant ?? (await domainOf(door, flags.user))
      const body = {
        role: flags.role,
        name: flags.name ?? null,
        user: userOf(flags.user, domain),
        expires_in: expiresIn,
        tenant: domain,
      }
      const key = await door.ask<KeyShown & { secret: string }>('POST', '/v1/tenant/keys', { body })
      const text = `${key.id} for ${key.user_address ?? domain} with role ${key.role}\nThe secret is shown this once:\n${key.secret}`
      return { text, json: key }
    })
  }
}

/** The domain of the User that is named by address, else that of the caller: `_platform` for who sees all. */
async function domainOf(door: Door, user: string | undefined): Promise<string> {
  if (user?.includes('/')) return addressOf(user).split('/')[0]!
  return (await door.ask<{ slug: string }>('GET', '/v1/tenant')).slug
}

function userOf(user: string | undefined, domain: string) {
  if (user === undefined) return null
  return addressOf(user.includes('/') ? user : `${domain}/User/${user}`)
}
