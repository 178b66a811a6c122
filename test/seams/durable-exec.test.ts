import { afterAll, beforeAll } from 'vitest'
import { postgresDurableExec } from '../../controller/seams/durable-exec/postgres.ts'
import { acme, globex, makeDomains } from '../ingest/world.ts'
import { type TestDatabase, testDatabase } from '../support/database.ts'
import { describeDurableExec } from './durable-exec.conformance.ts'

let world: TestDatabase
beforeAll(async () => {
  world = await testDatabase()
  await makeDomains(world.database, acme, globex)
})
afterAll(() => world.close())

describeDurableExec('PostgreSQL', () => ({
  tenants: [acme, globex],
  open: () => postgresDurableExec(world.database, () => new Date()),
}))
