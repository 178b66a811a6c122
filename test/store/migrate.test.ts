import { randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import type { TenantId } from '../../controller/domain/ids.ts'
import { type DatabaseSettings, openDatabase } from '../../controller/store/connect.ts'
import { type Migration, migrate, readMigrations } from '../../controller/store/migrate.ts'
import { type ConnectionTarget, databaseUrlOf, withConnection } from '../../controller/store/pool.ts'
import { derivedLogins, targetFor } from '../../controller/store/roles.ts'
import { type RootKey, rootKeyOf } from '../../controller/tenancy/root-key.ts'
import { type ClonedDatabase, emptyDatabase } from '../support/database.ts'
import { exampleMigration, exampleMigrations } from '../support/example-migrations.ts'

const second = exampleMigration(2, 'more', 'alter table fibric.things add column more text')
const broken = exampleMigration(2, 'broken', 'create table fibric.half (); select 1/0')
const tenant = 't_one' as TenantId

const cleanups: (() => Promise<unknown>)[] = []

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

async function database(): Promise<ClonedDatabase> {
  const empty = await emptyDatabase()
  cleanups.push(() => empty.drop())
  return empty
}

/** A deployment of its own: a new root, whose logins go with the test. */
async function newRoot(): Promise<RootKey> {
  const rootKey = rootKeyOf(randomBytes(32))
  const { superuser, drop } = await emptyDatabase()
  cleanups.push(async () => {
    for (const { user } of derivedLogins(rootKey)) await run(superuser, `drop role if exists ${user}`)
    await drop()
  })
  return rootKey
}

function run(target: ConnectionTarget, sql: string): Promise<{ rows: unknown[] }> {
  return withConnection(target, 'fibric test', (connection) => connection.simple(sql))
}

function settings(owner: ConnectionTarget, rootKey: RootKey | null, over: Partial<DatabaseSettings<RootKey>> = {}) {
  return {
    databaseUrl: databaseUrlOf(owner),
    appUrl: null,
    workerUrl: null,
    dataDirectory: '',
    searchPath: '',
    rootKey: {
      load: async () => rootKey,
      loadOrCreate: async () => rootKey ?? rootKeyOf(randomBytes(32)),
    },
    migrate: 'check',
    migrations: exampleMigrations,
    ...over,
  } satisfies DatabaseSettings<RootKey>
}

function migrateWith(owner: ConnectionTarget, rootKey: RootKey, migrations: readonly Migration[] = exampleMigrations) {
  return migrate(owner, migrations, derivedLogins(rootKey), rootKey.id)
}

const recordedNames = 'select name from fibric.schema_migrations order by number'

describe('migrating', () => {
  test('applies what is missing, in order, and the second time nothing', async () => {
    const rootKey = await newRoot()
    const { owner } = await database()
    expect((await migrateWith(owner, rootKey)).applied.map(({ name }) => name)).toEqual(['0001-things'])
    const both = [...exampleMigrations, second]
    expect((await migrateWith(owner, rootKey, both)).applied.map(({ name }) => name)).toEqual(['0002-more'])
    expect((await migrateWith(owner, rootKey, both)).applied).toEqual([])
    expect((await run(owner, recordedNames)).rows).toEqual([{ name: '0001-things' }, { name: '0002-more' }])
  })

  test('keeps nothing of a migration that fails, and everything before it', async () => {
    const rootKey = await newRoot()
    const { owner } = await database()
    const failing = migrateWith(owner, rootKey, [...exampleMigrations, broken])
    await expect(failing).rejects.toThrow('migration `0002-broken` failed: division by zero')
    expect((await run(owner, recordedNames)).rows).toEqual([{ name: '0001-things' }])
    expect((await run(owner, "select to_regclass('fibric.half') as v")).rows).toEqual([{ v: null }])
    expect((await migrateWith(owner, rootKey, [...exampleMigrations, second])).applied).toEqual([second])
  })

  test('refuses a database whose past differs from the files', async () => {
    const rootKey = await newRoot()
    const { owner } = await database()
    await migrateWith(owner, rootKey)
    const changed = [exampleMigration(1, 'things', 'select 1')]
    await expect(migrateWith(owner, rootKey, changed)).rejects.toMatchObject({
      code: 'MIGRATION_CHANGED',
      message: 'migration `0001-things` was changed after it was applied',
    })
  })

  test('refuses a database that a newer version migrated', async () => {
    const rootKey = await newRoot()
    const { owner } = await database()
    await migrateWith(owner, rootKey, [...exampleMigrations, second])
    await expect(migrateWith(owner, rootKey)).rejects.toMatchObject({ code: 'DATABASE_VERSION' })
    await expect(openDatabase(settings(owner, rootKey))).rejects.toMatchObject({ code: 'DATABASE_VERSION' })
  })

  test('by several at once applies each migration once', async () => {
    const rootKey = await newRoot()
    const { owner } = await database()
    const outcomes = await Promise.all([1, 2, 3, 4].map(() => migrateWith(owner, rootKey)))
    expect(outcomes.flatMap(({ applied }) => applied)).toHaveLength(1)
  })

  test('several databases of a cluster at once makes their logins once', async () => {
    const rootKey = await newRoot()
    const databases = await Promise.all([1, 2, 3, 4].map(() => database()))
    await Promise.all(databases.map(({ owner }) => migrateWith(owner, rootKey)))
    for (const { owner } of databases) {
      const opened = await openDatabase(settings(owner, rootKey))
      expect(await opened.asTenant(tenant, (tx) => tx.query('select id from fibric.things'))).toEqual([])
      await opened.close()
    }
  })

  test('puts back a password that somebody changed', async () => {
    const rootKey = await newRoot()
    const { owner, superuser } = await database()
    await migrateWith(owner, rootKey)
    await run(superuser, `alter role ${derivedLogins(rootKey)[0]!.user} password 'other'`)
    await expect(openDatabase(settings(owner, rootKey))).rejects.toMatchObject({
      code: 'MIGRATION_NEEDED',
      hint: expect.stringContaining('fibric migrate'),
    })
    await migrateWith(owner, rootKey)
    await (await openDatabase(settings(owner, rootKey))).close()
  })

  test('as an owner who may not make logins says what an administrator has to run', async () => {
    const rootKey = await newRoot()
    const { owner, superuser } = await database()
    const plain = `plain_${randomBytes(4).toString('hex')}`
    await run(superuser, `create role ${plain} login password 'plain'`)
    await run(superuser, `alter database ${owner.database} owner to ${plain}`)
    const plainOwner = { ...owner, user: plain, password: 'plain' }
    cleanups.push(() =>
      run(superuser, `reassign owned by ${plain} to postgres; drop owned by ${plain}; drop role ${plain}`),
    )
    await expect(migrateWith(plainOwner, rootKey)).rejects.toMatchObject({
      code: 'MIGRATION_FORBIDDEN',
      hint: expect.stringContaining('create role fibric_app nologin'),
    })

    const app = `app_${randomBytes(4).toString('hex')}`
    await run(superuser, `create role ${app} login password 'app'; grant fibric_app, fibric_worker to ${app}`)
    cleanups.push(() => run(superuser, `drop owned by ${app}; drop role ${app}`))
    const appUrl = databaseUrlOf({ ...owner, user: app, password: 'app' })
    const opened = await openDatabase(settings(plainOwner, rootKey, { appUrl, migrate: 'apply' }))
    await opened.asTenant(tenant, (tx) => tx.execute('insert into fibric.things values ($1, $2)', [tenant, 'a']))
    expect(await opened.asWorker([tenant], (tx) => tx.query('select id from fibric.things'))).toEqual([{ id: 'a' }])
    expect(await opened.asTenant('t_two' as TenantId, (tx) => tx.query('select id from fibric.things'))).toEqual([])
    await opened.close()
  })
})

describe('two deployments on one cluster', () => {
  test('keep their own passwords and cannot enter each other', async () => {
    const [rootA, rootB] = [await newRoot(), await newRoot()]
    const [a, b] = [await database(), await database()]
    await migrateWith(a.owner, rootA)
    await migrateWith(b.owner, rootB)
    for (const login of derivedLogins(rootA)) {
      const reading = run(targetFor(login, b.owner), 'select id from fibric.things')
      await expect(reading).rejects.toMatchObject({ details: { sqlState: '42501' } })
    }
    await (await openDatabase(settings(a.owner, rootA))).close()
    await (await openDatabase(settings(b.owner, rootB))).close()
  })
})

describe('opening', () => {
  test('a database that was never migrated says so', async () => {
    const rootKey = await newRoot()
    const { owner } = await database()
    await expect(openDatabase(settings(owner, rootKey))).rejects.toMatchObject({ code: 'MIGRATION_NEEDED' })
  })

  test('a database that lacks a migration says so', async () => {
    const rootKey = await newRoot()
    const { owner } = await database()
    await migrateWith(owner, rootKey)
    const newer = settings(owner, rootKey, { migrations: [...exampleMigrations, second] })
    await expect(openDatabase(newer)).rejects.toMatchObject({ code: 'MIGRATION_NEEDED' })
  })

  test('never gives a database that is bound to a root key another one', async () => {
    const rootKey = await newRoot()
    const other = await newRoot()
    const { owner } = await database()
    await (await openDatabase(settings(owner, rootKey, { migrate: 'apply' }))).close()
    await expect(openDatabase(settings(owner, null, { migrate: 'apply' }))).rejects.toMatchObject({
      code: 'ROOT_KEY_MISSING',
    })
    await expect(openDatabase(settings(owner, other, { migrate: 'apply' }))).rejects.toMatchObject({
      code: 'ROOT_KEY_INVALID',
    })
  })

  test('refuses an application login that row security does not bind', async () => {
    const rootKey = await newRoot()
    const { owner, superuser } = await database()
    await migrateWith(owner, rootKey)
    for (const target of [superuser, owner]) {
      const given = settings(owner, rootKey, { appUrl: databaseUrlOf(target) })
      await expect(openDatabase(given)).rejects.toMatchObject({ code: 'INVALID_CONFIGURATION' })
    }
  })
})

describe('migration files', () => {
  async function files(named: Readonly<Record<string, string>>): Promise<string> {
    const folder = await mkdtemp(join(tmpdir(), 'fibric-migrations-'))
    cleanups.push(() => rm(folder, { recursive: true }))
    for (const [name, text] of Object.entries(named)) await writeFile(join(folder, name), text)
    return folder
  }

  test('are read in order, with what their first line says about running workers', async () => {
    const folder = await files({
      '0002-b.sql': '-- workers: stop\n',
      '0001-a.sql': '-- workers: survive\n',
      'notes.md': '',
    })
    expect((await readMigrations(folder)).map(({ number, name, workers }) => [number, name, workers])).toEqual([
      [1, '0001-a', 'survive'],
      [2, '0002-b', 'stop'],
    ])
  })

  test.each([
    { problem: 'a gap', named: { '0001-a.sql': '-- workers: stop\n', '0003-c.sql': '-- workers: stop\n' } },
    { problem: 'a double', named: { '0001-a.sql': '-- workers: stop\n', '0001-b.sql': '-- workers: stop\n' } },
    { problem: 'another name', named: { '1-a.sql': '-- workers: stop\n' } },
    { problem: 'no word about workers', named: { '0001-a.sql': 'select 1' } },
  ])('with $problem are refused', async ({ named }) => {
    await expect(readMigrations(await files(named))).rejects.toThrow(/migration `/)
  })

  test('of the product are well formed', async () => {
    expect((await readMigrations()).length).toBeGreaterThan(0)
  })
})
