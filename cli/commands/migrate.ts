import { settleConfig } from '../../controller/config.ts'
import { mintAdminKey } from '../../controller/deployment.ts'
import { openEngine } from '../../controller/engine.ts'
import type { Outcome } from '../base-command.ts'
import { EngineCommand } from '../engine-command.ts'

export default class Migrate extends EngineCommand {
  static override summary = 'Bring the database to this version, as its owner; prints the first admin key once.'
  static override examples = ['FIBRIC_DATABASE_URL=postgresql://owner@db/control <%= config.bin %> migrate']

  async execute(): Promise<Outcome> {
    const { flags } = await this.parse(Migrate)
    this.requireHere(flags)
    const overrides = { databaseUrl: flags['database-url'], dataDirectory: flags['data-dir'] }
    const config = settleConfig(this.repository('.', flags), overrides, process.env)
    const engine = await openEngine(config, { migrate: 'apply' })
    try {
      const applied = engine.database.applied.map(
        (migration) => `${String(migration.number).padStart(4, '0')}-${migration.name}`,
      )
      const adminKey = await mintAdminKey(engine.database, config.login, engine.clock())
      const lines = [
        applied.length === 0 ? 'The database is at this version.' : `Applied ${applied.join(', ')}.`,
        ...(adminKey ? ['The first admin key, shown this once:', adminKey] : []),
      ]
      return { text: lines.join('\n'), json: { object: 'migration', applied, admin_key: adminKey } }
    } finally {
      await engine.close()
    }
  }
}
