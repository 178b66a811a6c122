import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { TenantId } from '../../controller/domain/ids.ts'
import { openDatabase } from '../../controller/store/connect.ts'
import { startEmbedded } from '../../controller/store/embedded/server.ts'
import { rootKeySource } from '../../controller/tenancy/root-key.ts'
import { exampleMigration, exampleMigrations } from '../support/example-migrations.ts'

const tenant = 't_one' as TenantId
let folder: string
let dataDirectory: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fibric-connect-'))
  dataDirectory = join(folder, '.fibric')
})

afterEach(async () => {
  if (isRunning()) await (await startEmbedded({ dataDirectory })).stop()
  await rm(folder, { recursive: true })
})

function isRunning(): boolean {
  return existsSync(join(dataDirectory, 'postgres', 'postmaster.pid'))
}

function open(migrations = exampleMigrations, keyText: string | null = null) {
  return openDatabase({
    databaseUrl: null,
    appUrl: null,
    workerUrl: null,
    dataDirectory,
    searchPath: '',
    rootKey: rootKeySource({ dataDirectory, keyText }),
    migrate: 'check',
    migrations,
  })
}

test('an embedded database is made with its root key, used, stopped, and found again', async () => {
  const first = await open()
  expect(first).toMatchObject({ source: 'embedded', applied: [{ name: '0001-things' }] })
  await first.asTenant(tenant, (tx) => tx.execute('insert into fibric.things values ($1, $2)', [tenant, 'a']))
  await first.close()
  expect(isRunning()).toBe(false)

  const more = [...exampleMigrations, exampleMigration(2, 'more', 'alter table fibric.things add column more text')]
  const second = await open(more)
  expect(second.applied.map(({ name }) => name)).toEqual(['0002-more'])
  expect(await second.asTenant(tenant, (tx) => tx.query('select id, more from fibric.things'))).toEqual([
    { id: 'a', more: null },
  ])
  await second.close()
})

test('one that another process uses is left running, and stopped by `up` all the same', async () => {
  const up = await open()
  const command = await open()
  await command.close()
  expect(isRunning()).toBe(true)
  await up.close('stop')
  expect(isRunning()).toBe(false)
})

test('one whose root key is gone is not given a new one, and opens again when it is back', async () => {
  await (await open()).close()
  const file = join(dataDirectory, 'root.key')
  const text = await readFile(file, 'utf8')
  await rename(file, join(folder, 'away'))
  await expect(open()).rejects.toMatchObject({ code: 'ROOT_KEY_MISSING' })
  expect(existsSync(file)).toBe(false)
  expect(isRunning()).toBe(false)
  await (await open(exampleMigrations, text)).close()
})

test('a database nobody listens for is an error with a code, without the password', async () => {
  const failing = openDatabase({
    databaseUrl: 'postgresql://owner:hunter2hunter2@127.0.0.1:1/fibric',
    appUrl: null,
    workerUrl: null,
    dataDirectory,
    searchPath: '',
    rootKey: rootKeySource({ dataDirectory, keyText: 'ab'.repeat(32) }),
    migrate: 'apply',
    migrations: exampleMigrations,
  })
  await expect(failing).rejects.toMatchObject({
    code: 'DATABASE_UNAVAILABLE',
    message: 'database `fibric` at 127.0.0.1:1 as `owner`: nothing listens there',
  })
  expect(existsSync(dataDirectory)).toBe(false)
})
