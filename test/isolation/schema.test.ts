import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readMigrations } from '../../controller/store/migrate.ts'
import { withConnection } from '../../controller/store/pool.ts'
import { cloneDatabase } from '../support/database.ts'
import { dumpSchema } from './schema-dump.ts'

test('the migrations make the schema that was reviewed', async () => {
  const { superuser, drop } = await cloneDatabase(await readMigrations())
  try {
    const dump = await withConnection(superuser, 'fibric test', dumpSchema)
    await expect(dump).toMatchFileSnapshot(join(import.meta.dirname, '../golden/schema.sql'))
  } finally {
    await drop()
  }
})
