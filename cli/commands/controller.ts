import { once } from 'node:events'
import { Args, Flags } from '@oclif/core'
import { settleConfig } from '../../controller/config.ts'
import { FibricError } from '../../controller/domain/errors.ts'
import { openEngine } from '../../controller/engine.ts'
import { type Serving, serve } from '../../controller/serve.ts'
import type { Outcome } from '../base-command.ts'
import { EngineCommand } from '../engine-command.ts'
import { follow, say } from '../following.ts'

const roles = ['api', 'reconciler'] as const
type Role = (typeof roles)[number]

export default class Controller extends EngineCommand {
  static override summary = 'The controller of a cluster: serves the API, and applies a folder and follows it.'
  static override description =
    'Several may run on one database. The database has to be migrated already. Ends on SIGTERM, once what runs is answered; meanwhile callers get 503 with Retry-After.'
  static override examples = [
    '<%= config.bin %> controller --roles api --host 0.0.0.0',
    '<%= config.bin %> controller /srv/config --roles api,reconciler',
  ]
  static override args = { dir: Args.string({ description: 'folder that is followed', default: '.' }) }
  static override flags = {
    roles: Flags.string({ description: 'what this process does, by comma: api, reconciler', default: roles.join(',') }),
    host: Flags.string({ description: 'address the API listens on', default: '127.0.0.1' }),
    port: Flags.integer({ description: 'port of the API; 0 takes any', min: 0, max: 65_535, default: 4310 }),
  }

  async execute(): Promise<Outcome> {
    const { args, flags } = await this.parse(Controller)
    this.requireHere(flags)
    const wanted = rolesOf(flags.roles)
    const stopping = new AbortController()
    const stop = (): void => stopping.abort()
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, stop)
    const repository = this.repository(args.dir, flags)
    const overrides = { databaseUrl: flags['database-url'], dataDirectory: flags['data-dir'] }
    const engine = await openEngine(settleConfig(repository, overrides, process.env))
    const directory = wanted.has('reconciler') ? repository : null
    let serving: Serving | null = null
    try {
      if (wanted.has('api')) {
        const { host, port } = flags
        serving = await serve(engine, { host, port, directory, environment: process.env })
        say(`The API answers at ${serving.url}/v1.`)
      }
      if (directory !== null)
        await follow(engine, directory, stopping.signal, async () => say(`Following ${directory}.`))
      else if (!stopping.signal.aborted) await once(stopping.signal, 'abort')
    } finally {
      await serving?.drain()
      await engine.close()
    }
    return { text: 'Stopped.', json: { object: 'controller', stopped: true } }
  }
}

function rolesOf(text: string): ReadonlySet<Role> {
  const named = text.split(',').map((role) => role.trim())
  const unknown = named.find((role) => !(roles as readonly string[]).includes(role))
  if (unknown === undefined) return new Set(named as Role[])
  throw new FibricError('USAGE', `there is no role \`${unknown}\``, { hint: `one or more of: ${roles.join(', ')}` })
}
