import { createServer } from 'node:net'
import { inspect } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { databaseError } from '../../controller/store/database-error.ts'
import { databaseUrlOf, openPool, parseDatabaseUrl, withConnection } from '../../controller/store/pool.ts'
import { type TestDatabase, testDatabase } from '../support/database.ts'
import { exampleMigrations } from '../support/example-migrations.ts'

let world: TestDatabase

beforeAll(async () => {
  world = await testDatabase(exampleMigrations)
})

afterAll(async () => {
  await world.close()
})

describe('a database URL', () => {
  test('is read into its parts', () => {
    expect(parseDatabaseUrl('postgresql://u:p%40ss@db.example:6543/main', 'URL')).toEqual({
      host: 'db.example',
      port: 6543,
      database: 'main',
      user: 'u',
      password: 'p@ss',
      ssl: false,
    })
  })

  test('survives being written and read again', () => {
    const target = { host: '/tmp/s p', port: 5432, database: 'a b', user: 'ü', password: 'p&?/=%', ssl: false }
    expect(parseDatabaseUrl(databaseUrlOf(target), 'URL')).toEqual(target)
  })

  test.each(['mysql://u:hunter2hunter2@h/d', 'hunter2hunter2', 'postgresql://u:hunter2hunter2@h:port/d'])(
    'that is none is refused without repeating it',
    (url) => {
      let error: unknown
      try {
        parseDatabaseUrl(url, 'FIBRIC_DATABASE_URL')
      } catch (caught) {
        error = caught
      }
      expect(error).toMatchObject({ code: 'USAGE', message: 'FIBRIC_DATABASE_URL is not a PostgreSQL URL' })
      expect(inspect(error, { depth: 10 })).not.toContain('hunter2')
    },
  )
})

describe('a database that cannot be reached', () => {
  const secret = 'hunter2hunter2'

  test.each([
    { name: 'a closed port', over: { host: '127.0.0.1', port: 1 }, want: 'nothing listens there' },
    { name: 'no socket', over: { host: '/nonexistent' }, want: 'its socket does not exist' },
    { name: 'no such database', over: { database: 'absent' }, want: 'the database does not exist' },
    { name: 'a refused password', over: { user: 'fibric_app', password: secret }, want: 'was refused' },
  ])('for $name says where and why, without the password', async ({ over, want }) => {
    const target = { ...world.owner, password: secret, ...over }
    const failing = withConnection(target, 'fibric test', (connection) => connection.simple('select 1'))
    const error = await failing.catch((caught: unknown) => caught)
    expect(error).toMatchObject({ code: 'DATABASE_UNAVAILABLE', message: expect.stringContaining(want) })
    expect((error as { hint: string }).hint).not.toBe('')
    expect(inspect(error, { depth: 10 })).not.toContain(secret)
  })

  test('because something else answers there ends in an error, not in waiting', async () => {
    const other = createServer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')).listen(0, '127.0.0.1')
    await new Promise((resolve) => other.once('listening', resolve))
    const { port } = other.address() as { port: number }
    const target = { ...world.owner, host: '127.0.0.1', port }
    await expect(withConnection(target, 'fibric test', async () => {})).rejects.toThrow()
    other.close()
  })
})

describe('a pool', () => {
  test('gives the next caller a new connection after its server cut the old ones', async () => {
    const pool = openPool(world.owner, { sizeMax: 2, applicationName: 'fibric test' })
    const pid = async () =>
      (await pool.use((connection) => connection.prepared<{ pid: number }>('select pg_backend_pid() as pid', [])))
        .rows[0]
    const before = await pid()
    await withConnection(world.superuser, 'fibric test', (connection) =>
      connection.prepared('select pg_terminate_backend($1)', [before?.pid]),
    )
    await expect.poll(() => pid().catch(() => before), { timeout: 30_000 }).not.toEqual(before)
    await pool.close()
  })

  test('lends no more connections than its size', async () => {
    const pool = openPool(world.owner, { sizeMax: 3, applicationName: 'fibric sizes' })
    const sessions = "select count(*) as n from pg_stat_activity where application_name = 'fibric sizes'"
    const counts = await Promise.all(
      Array.from({ length: 12 }, () => pool.use((connection) => connection.prepared<{ n: number }>(sessions, []))),
    )
    expect(Math.max(...counts.map(({ rows }) => rows[0]!.n))).toBeLessThanOrEqual(3)
    await pool.close()
  })

  test('reports the loss of a connection in the middle of a statement', async () => {
    const cut = world.database.asTenant('t_one' as never, async (tx) => {
      const rows = await tx.query<{ pid: number }>('select pg_backend_pid() as pid')
      await withConnection(world.superuser, 'fibric test', (connection) =>
        connection.prepared('select pg_terminate_backend($1)', [rows[0]?.pid]),
      )
      await tx.query('select pg_sleep(1)')
    })
    await expect(cut).rejects.toMatchObject({ code: 'DATABASE_UNAVAILABLE' })
  })
})

describe('an error of the database', () => {
  const place = { host: 'h', port: 1, database: 'd', user: 'u' }

  test.each([
    { code: '23505', want: 'STATE_CONFLICT' },
    { code: '40001', want: 'STATE_CONFLICT' },
    { code: '40P01', want: 'STATE_CONFLICT' },
    { code: '57014', want: 'DATABASE_TIMEOUT' },
    { code: '57P01', want: 'DATABASE_UNAVAILABLE' },
    { code: '53300', want: 'DATABASE_UNAVAILABLE' },
    { code: '08006', want: 'DATABASE_UNAVAILABLE' },
    { code: '42601', want: 'INTERNAL' },
  ])('with SQLSTATE $code is $want', ({ code, want }) => {
    expect(databaseError(Object.assign(new Error('x'), { code }), place)).toMatchObject({ code: want })
  })
})
