import { Args, Flags } from '@oclif/core'
import { settleConfig } from '../../controller/config.ts'
import { mintAdminKey } from '../../controller/deployment.ts'
import { FibricError } from '../../controller/domain/errors.ts'
import { type Engine, openEngine } from '../../controller/engine.ts'
import { allowScriptedModels } from '../../controller/operations/model-way.ts'
import { type Serving, serve } from '../../controller/serve.ts'
import type { Outcome } from '../base-command.ts'
import { EngineCommand } from '../engine-command.ts'
import { folder, follow, say } from '../following.ts'
import { untilInterrupted } from '../interrupted.ts'
import { findRepository } from '../repository.ts'
import { paint } from '../views/paint.ts'

const portDefault = 4310

export default class Up extends EngineCommand {
  static override summary =
    'Everything in one process: the embedded PostgreSQL, the API, and a loop that applies DIR and follows it.'
  static override description =
    'Applies without asking, prints the plan, the verdicts and what was receipted, then serves the API on loopback and stays until Ctrl-C.'
  static override examples = ['<%= config.bin %> up', '<%= config.bin %> up examples/shop --data-dir /var/lib/fibric']
  static override args = { dir: Args.string({ description: 'folder in the configuration repository', default: '.' }) }
  static override flags = {
    port: Flags.integer({
      description: `port of the API; 0 takes any (default ${portDefault}, or any where that is taken)`,
      min: 0,
      max: 65_535,
    }),
  }

  async execute(): Promise<Outcome> {
    const { args, flags } = await this.parse(Up)
    this.requireHere(flags)
    const signal = untilInterrupted()
    const repository = findRepository(args.dir)
    const overrides = { databaseUrl: flags['database-url'], dataDirectory: flags['data-dir'] }
    const config = settleConfig(repository, overrides, process.env)
    const engine = await openEngine(config, { migrate: 'apply' })
    allowScriptedModels(engine)
    await refuseSecond(engine)
    try {
      await this.#run(engine, repository, flags.port ?? null, signal)
    } finally {
      await engine.close('stop')
    }
    return { text: 'Stopped.', json: { object: 'up', stopped: true } }
  }

  async #run(engine: Engine, repository: string, port: number | null, signal: AbortSignal): Promise<void> {
    const color = paint(process.stdout)
    const adminKey = await mintAdminKey(engine.database, engine.config.login, engine.clock())
    if (adminKey) say(`${color.bold('The first admin key, shown this once:')}\n${adminKey}\n`)
    let serving: Serving | null = null
    try {
      await follow(engine, folder(repository), signal, async () => {
        serving = await serveOnLoopback(engine, repository, port)
        say(`Up. The API answers at ${serving.url}/v1. Following ${repository}; Ctrl-C stops.\n`)
      })
    } finally {
      await (serving as Serving | null)?.drain()
    }
  }
}

/** Two would each make the database what their own folder says, and the first to end would stop it under the other. */
async function refuseSecond(engine: Engine): Promise<void> {
  try {
    if (await engine.database.alone('up')) return
    throw new FibricError('STATE_CONFLICT', 'another `fibric up` runs on this database already', {
      hint: 'end it with Ctrl-C where it runs, ask it with --server, or give this one a --data-dir of its own',
    })
  } catch (error) {
    await engine.close('leave')
    throw error
  }
}

/** The port that was asked for; where none was and the usual one is taken, any other. */
async function serveOnLoopback(engine: Engine, directory: string, port: number | null): Promise<Serving> {
  const at = { host: '127.0.0.1', directory, environment: process.env }
  try {
    return await serve(engine, { ...at, port: port ?? portDefault })
  } catch (error) {
    if (port !== null || !(error instanceof FibricError) || error.code !== 'PORT_TAKEN') throw error
    return serve(engine, { ...at, port: 0 })
  }
}
