import { once } from 'node:events'
import { Args, Flags } from '@oclif/core'
import { settleConfig } from '../../controller/config.ts'
import { FibricError } from '../../controller/domain/errors.ts'
import { type Engine, openEngine } from '../../controller/engine.ts'
import { type GitSource, gitSource } from '../../controller/operations/git-source.ts'
import { type Serving, serve } from '../../controller/serve.ts'
import type { Outcome } from '../base-command.ts'
import { durationOf } from '../durations.ts'
import { EngineCommand } from '../engine-command.ts'
import { failureOf } from '../failure.ts'
import { type Followed, folder, follow, say } from '../following.ts'
import { untilInterrupted } from '../interrupted.ts'
import { renderFailure } from '../views/failure.ts'

const roles = ['api', 'reconciler'] as const
type Role = (typeof roles)[number]

export default class Controller extends EngineCommand {
  static override summary = 'The controller of a cluster: serves the API, and applies a folder and follows it.'
  static override description =
    'Several may run on one database. The database has to be migrated already. Ends on SIGTERM, once what runs is answered; meanwhile callers get 503 with Retry-After.'
  static override examples = [
    '<%= config.bin %> controller --roles api --host 0.0.0.0',
    '<%= config.bin %> controller /srv/config --roles api,reconciler',
    '<%= config.bin %> controller --git https://git.example.com/acme/config.git --branch main --credential git',
  ]
  static override args = { dir: Args.string({ description: 'folder that is followed', default: '.' }) }
  static override flags = {
    roles: Flags.string({ description: 'what this process does, by comma: api, reconciler', default: roles.join(',') }),
    git: Flags.string({
      description: 'git repository that is followed instead of a folder (FIBRIC_GIT_URL)',
      env: 'FIBRIC_GIT_URL',
    }),
    branch: Flags.string({
      description: 'its branch (FIBRIC_GIT_BRANCH)',
      env: 'FIBRIC_GIT_BRANCH',
      default: 'main',
    }),
    path: Flags.string({
      description: 'folder of the configuration inside the repository (FIBRIC_GIT_PATH)',
      env: 'FIBRIC_GIT_PATH',
      default: '.',
    }),
    credential: Flags.string({
      description: 'secret of _platform that opens it: value, username, webhook (FIBRIC_GIT_CREDENTIAL)',
      env: 'FIBRIC_GIT_CREDENTIAL',
    }),
    every: Flags.string({
      description: 'how often it is looked at where no push calls (FIBRIC_GIT_EVERY)',
      env: 'FIBRIC_GIT_EVERY',
      default: '1m',
    }),
    host: Flags.string({ description: 'address the API listens on', default: '127.0.0.1' }),
    port: Flags.integer({ description: 'port of the API; 0 takes any', min: 0, max: 65_535, default: 4310 }),
  }

  async execute(): Promise<Outcome> {
    const { args, flags } = await this.parse(Controller)
    this.requireHere(flags)
    const wanted = rolesOf(flags.roles)
    const signal = untilInterrupted()
    const home = flags.git === undefined ? this.repository(args.dir, flags) : '.'
    const overrides = { databaseUrl: flags['database-url'], dataDirectory: flags['data-dir'] }
    const engine = await openEngine(settleConfig(home, overrides, process.env))
    const git = flags.git === undefined ? null : sourceOf(engine, flags.git, flags)
    const followed = wanted.has('reconciler') ? (git ?? folder(home)) : null
    let serving: Serving | null = null
    try {
      if (wanted.has('api')) {
        const { host, port } = flags
        const directory = followed?.directory ?? null
        const push = git && followed ? { push: git.push } : {}
        serving = await serve(engine, { host, port, directory, environment: process.env, ...push })
        say(`The API answers at ${serving.url}/v1.`)
      }
      if (followed !== null) await followIt(engine, followed, git, flags.git ?? home, signal)
      else if (!signal.aborted) await once(signal, 'abort')
    } finally {
      await serving?.drain()
      await engine.close()
    }
    return { text: 'Stopped.', json: { object: 'controller', stopped: true } }
  }
}

async function followIt(
  engine: Engine,
  followed: Followed,
  git: GitSource | null,
  name: string,
  signal: AbortSignal,
): Promise<void> {
  await git?.begin(signal)
  if (signal.aborted) return
  await follow(engine, followed, signal, async () => say(`Following ${name}.`))
}

interface GitFlags {
  readonly branch: string
  readonly path: string
  readonly credential?: string | undefined
  readonly every: string
}

function sourceOf(engine: Engine, url: string, flags: GitFlags): GitSource {
  return gitSource(engine, {
    url,
    branch: flags.branch,
    path: flags.path,
    credential: flags.credential ?? null,
    everyMs: durationOf(flags.every),
    onFailure: (error) => process.stderr.write(renderFailure(failureOf(error))),
  })
}

function rolesOf(text: string): ReadonlySet<Role> {
  const named = text.split(',').map((role) => role.trim())
  const unknown = named.find((role) => !(roles as readonly string[]).includes(role))
  if (unknown === undefined) return new Set(named as Role[])
  throw new FibricError('USAGE', `there is no role \`${unknown}\``, { hint: `one or more of: ${roles.join(', ')}` })
}
