import { Flags } from '@oclif/core'
import { settleConfig } from '../controller/config.ts'
import type { Door } from '../controller/door/door.ts'
import { type Engine, openEngine } from '../controller/engine.ts'
import { FibricCommand, type Outcome, onlyHere } from './base-command.ts'
import { findRepository } from './repository.ts'

/** The flags of every such command. */
export interface EngineFlags {
  readonly server?: string | undefined
  readonly 'database-url'?: string | undefined
  readonly 'data-dir'?: string | undefined
}

/** A command that asks a deployment: a server, or the engine of this process over a database, closed whatever happens. */
export abstract class EngineCommand extends FibricCommand {
  static override baseFlags = {
    ...FibricCommand.baseFlags,
    server: Flags.string({
      description: 'running controller to ask, known by FIBRIC_TOKEN (FIBRIC_SERVER)',
      helpGroup: 'GLOBAL',
      exclusive: ['database-url', 'data-dir'],
    }),
    'database-url': Flags.string({
      description: 'PostgreSQL to use instead of the embedded one (FIBRIC_DATABASE_URL)',
      helpGroup: 'GLOBAL',
    }),
    'data-dir': Flags.string({
      description: 'where the embedded PostgreSQL and the root key live (FIBRIC_DATA_DIR)',
      helpGroup: 'GLOBAL',
    }),
  }

  /** Refuses a server that is named for what only this machine can do; one in the environment is for other commands. */
  protected requireHere(flags: EngineFlags): void {
    if (flags.server !== undefined) throw onlyHere(this.ctor.id)
  }

  /** Asks the routes of a deployment: over HTTP where a server is named, else in this process. */
  protected async withDoor(
    flags: EngineFlags,
    directory: string,
    work: (door: Door) => Promise<Outcome>,
  ): Promise<Outcome> {
    const url = serverOf(flags)
    if (url !== null) {
      const { httpDoor } = await import('../controller/door/http-door.ts')
      return work(httpDoor({ url, token: process.env.FIBRIC_TOKEN || null }))
    }
    const { engineDoor } = await import('../controller/door/engine-door.ts')
    return this.withEngine(flags, directory, (engine) => work(engineDoor(engine)))
  }

  /** Runs `work` with an engine whose state lies beside the repository at or above `directory`. */
  protected async withEngine(
    flags: EngineFlags,
    directory: string,
    work: (engine: Engine, repository: string) => Promise<Outcome>,
  ): Promise<Outcome> {
    this.requireHere(flags)
    const repository = this.repository(directory, flags)
    const config = settleConfig(
      repository,
      { databaseUrl: flags['database-url'], dataDirectory: flags['data-dir'] },
      process.env,
    )
    const engine = await openEngine(config)
    try {
      return await work(engine, repository)
    } finally {
      await engine.close()
    }
  }

  /** The repository's folder; any folder at all once the database is named. */
  protected repository(directory: string, flags: EngineFlags): string {
    try {
      return findRepository(directory)
    } catch (error) {
      const named =
        flags['database-url'] ?? flags['data-dir'] ?? process.env.FIBRIC_DATABASE_URL ?? process.env.FIBRIC_DATA_DIR
      if (named === undefined) throw error
      return directory
    }
  }
}

/** The server a command is to ask; a database that is named by a flag outranks the environment. */
export function serverOf(flags: EngineFlags): string | null {
  if (flags.server !== undefined) return flags.server
  if (flags['database-url'] !== undefined || flags['data-dir'] !== undefined) return null
  return process.env.FIBRIC_SERVER || null
}
