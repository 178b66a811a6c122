import type { Config } from './config.ts'
import { type Deployment, enterDeployment } from './deployment.ts'
import { type Database, openDatabase } from './store/connect.ts'
import { type Actor, authenticate, localActor } from './tenancy/actor.ts'
import { type RootKey, rootKeySource } from './tenancy/root-key.ts'

/**
 * The in-process engine: everything a command, `up` or a controller does goes through one of these. The parts of it are
 * functions that take it (`controller/operations/*`), so that a command loads only what it uses.
 */
export interface Engine {
  readonly config: Config
  readonly database: Database<RootKey>
  readonly deployment: Deployment
  readonly actor: Actor
  readonly clock: () => Date
  close(server?: 'if-idle' | 'stop' | 'leave'): Promise<void>
}

export interface EngineOptions {
  /** `apply` brings a database behind FIBRIC_DATABASE_URL up to date too; the embedded one always is. */
  readonly migrate?: 'apply' | 'check'
  readonly log?: (line: string) => void
  readonly clock?: () => Date
  /** What stands between the engine and its database: crash tests put a fault there. */
  readonly around?: (database: Database<RootKey>) => Database<RootKey>
}

export async function openEngine(config: Config, options: EngineOptions = {}): Promise<Engine> {
  const clock = options.clock ?? (() => new Date())
  const opened = await openDatabase<RootKey>({
    databaseUrl: config.databaseUrl,
    appUrl: config.appUrl,
    workerUrl: config.workerUrl,
    dataDirectory: config.dataDirectory,
    searchPath: config.searchPath,
    rootKey: rootKeySource({ dataDirectory: config.dataDirectory, keyText: config.rootKeyText }),
    migrate: options.migrate ?? 'check',
    ...(options.log ? { log: options.log } : {}),
  })
  const database = options.around ? options.around(opened) : opened
  try {
    const deployment = await enterDeployment(database, clock())
    const actor = config.token === null ? localActor(config.login) : await authenticate(database, config.token, clock())
    return { config, database, deployment, actor, clock, close: (server) => database.close(server) }
  } catch (error) {
    await database.close()
    throw error
  }
}
