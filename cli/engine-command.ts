import { Flags } from '@oclif/core'
import { settleConfig } from '../controller/config.ts'
import { type Engine, openEngine } from '../controller/engine.ts'
import { FibricCommand, type Outcome } from './base-command.ts'
import { findRepository } from './repository.ts'

interface EngineFlags {
  readonly 'database-url'?: string | undefined
  readonly 'data-dir'?: string | undefined
}

/** A command that needs the database: opens the in-process engine, and closes it whatever happens. */
export abstract class EngineCommand extends FibricCommand {
  static override baseFlags = {
    ...FibricCommand.baseFlags,
    'database-url': Flags.string({
      description: 'PostgreSQL to use instead of the embedded one (FIBRIC_DATABASE_URL)',
      helpGroup: 'GLOBAL',
    }),
    'data-dir': Flags.string({
      description: 'where the embedded PostgreSQL and the root key live (FIBRIC_DATA_DIR)',
      helpGroup: 'GLOBAL',
    }),
  }

  /** Runs `work` with an engine whose state lies beside the repository at or above `directory`. */
  protected async withEngine(
    flags: EngineFlags,
    directory: string,
    work: (engine: Engine, repository: string) => Promise<Outcome>,
  ): Promise<Outcome> {
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
