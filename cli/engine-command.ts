import { Flags } from '@oclif/core'
import { settleConfig } from '../controller/config.ts'
import { type Engine, openEngine } from '../controller/engine.ts'
import { FibricCommand, type Outcome } from './base-command.ts'
import { findRepository } from './repository.ts'

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
    flags: { readonly 'database-url'?: string | undefined; readonly 'data-dir'?: string | undefined },
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

  /** Where the repository is; a command that reads none may be anywhere once the database is named. */
  protected repository(directory: string, _flags: object): string {
    return findRepository(directory)
  }
}
