import { afterEach, expect, test } from 'vitest'
import { FibricError } from '../../controller/domain/errors.ts'
import type { Database } from '../../controller/store/connect.ts'
import type { RootKey } from '../../controller/tenancy/root-key.ts'
import { fates, type TestEngine, testEngine } from '../support/engine.ts'
import { docs, open, parameter, tenant } from './repositories.ts'

let engine: TestEngine
afterEach(() => engine.close())

/** A database that is lost while the actions of one tenant are being written. */
function losing(database: Database<RootKey>, switched: { on: boolean }): Database<RootKey> {
  return {
    ...database,
    asWorker: (tenants, work, options) =>
      database.asWorker(
        tenants,
        (tx) =>
          work({
            ...tx,
            execute: (sql, parameters) => tx.execute(sql, parameters),
            query: (sql, parameters) => {
              if (
                switched.on &&
                sql.includes('insert into fibric.action') &&
                JSON.stringify(parameters).includes('beta/Parameter')
              ) {
                throw new FibricError('DATABASE_UNAVAILABLE', 'the connection was lost')
              }
              return tx.query(sql, parameters)
            },
          }),
        options,
      ),
  }
}

test('an apply that fails between batches says what it kept, exits 7, and goes on with the rest', async () => {
  const switched = { on: false }
  engine = await testEngine(open, { around: (database) => losing(database, switched) })
  await engine.apply()
  engine.write({
    'tenants/beta/tenant.yaml': tenant('beta'),
    'tenants/acme/p.yaml': parameter('a', 1),
    'tenants/beta/p.yaml': docs(parameter('b', 1), parameter('c', 1)),
  })
  switched.on = true
  await expect(engine.apply()).rejects.toMatchObject({
    code: 'PARTLY_APPLIED',
    exitCode: 7,
    details: { applied: 2, total: 4, code: 'DATABASE_UNAVAILABLE' },
  })
  switched.on = false
  expect(fates(await engine.apply())).toEqual({ 'beta/Parameter/b': 'applied', 'beta/Parameter/c': 'applied' })
})
