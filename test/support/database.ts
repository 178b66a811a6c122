import { randomBytes } from 'node:crypto'
import { inject } from 'vitest'
import { digestJson } from '../../controller/domain/digest.ts'
import { type Database, openDatabase } from '../../controller/store/connect.ts'
import { type EmbeddedServer, startEmbedded } from '../../controller/store/embedded/server.ts'
import { type Migration, migrate, readMigrations } from '../../controller/store/migrate.ts'
import { type ConnectionTarget, databaseUrlOf, withConnection } from '../../controller/store/pool.ts'
import { derivedLogins } from '../../controller/store/roles.ts'
import { type RootKey, rootKeyOf } from '../../controller/tenancy/root-key.ts'

export interface TestDatabase {
  readonly database: Database<RootKey>
  /** A URL of the database's owner, as FIBRIC_DATABASE_URL would hold it. */
  readonly ownerUrl: string
  readonly owner: ConnectionTarget
  readonly superuser: ConnectionTarget
  /** Closes the pools and drops the database. */
  close(): Promise<void>
}

export interface ClonedDatabase {
  readonly owner: ConnectionTarget
  readonly superuser: ConnectionTarget
  drop(): Promise<void>
}

/** Every test deployment has this root, so its logins are made once a cluster. */
export const testRootKey = rootKeyOf(Buffer.alloc(32, 'fibric test root key'))

export const testRootKeySource = {
  load: async () => testRootKey,
  loadOrCreate: async () => testRootKey,
}

/** Tests keep nothing, so their server does not wait for the disk. */
const quick = { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' }

/** A migrated database of its own, on the run's server. */
export async function testDatabase(migrations?: readonly Migration[]): Promise<TestDatabase> {
  const known = migrations ?? (await readMigrations())
  const clone = await cloneDatabase(known)
  const database = await openDatabase({
    databaseUrl: databaseUrlOf(clone.owner),
    appUrl: null,
    workerUrl: null,
    dataDirectory: '',
    searchPath: '',
    rootKey: testRootKeySource,
    migrate: 'check',
    poolSizeMax: 4,
    migrations: known,
  })
  const close = async () => {
    await database.close()
    await clone.drop()
  }
  return { database, ownerUrl: databaseUrlOf(clone.owner), owner: clone.owner, superuser: clone.superuser, close }
}

/** A copy of the template that these migrations make; nothing is opened on it. */
export async function cloneDatabase(migrations: readonly Migration[]): Promise<ClonedDatabase> {
  const server = await testServer()
  const template = await ensureTemplate(server, migrations)
  const name = `test_${randomBytes(8).toString('hex')}`
  await onServer(server, `create database ${name} template ${template} owner ${server.owner.user}`)
  return {
    owner: { ...server.owner, database: name },
    superuser: { ...server.superuser, database: name },
    drop: () => onServer(server, `drop database ${name} with (force)`),
  }
}

/** An empty database of the run's server, for tests of the migrations themselves. */
export async function emptyDatabase(): Promise<ClonedDatabase> {
  const server = await testServer()
  const name = `test_${randomBytes(8).toString('hex')}`
  await onServer(server, `create database ${name} owner ${server.owner.user}`)
  return {
    owner: { ...server.owner, database: name },
    superuser: { ...server.superuser, database: name },
    drop: () => onServer(server, `drop database ${name} with (force)`),
  }
}

let serverOfProcess: Promise<EmbeddedServer> | undefined

export function testServer(): Promise<EmbeddedServer> {
  serverOfProcess ??= startEmbedded({ dataDirectory: inject('databaseDirectory'), settings: quick })
  return serverOfProcess
}

/** Several test processes may want it at once: the first makes it, under a lock that the others wait at. */
async function ensureTemplate(server: EmbeddedServer, migrations: readonly Migration[]): Promise<string> {
  const digest = digestJson(migrations.map(({ name, checksum }) => [name, checksum]))
  const template = `template_${digest.slice(-16)}`
  await withConnection(server.superuser, 'fibric test', async (connection) => {
    const present = 'select from pg_database where datname = $1 and datistemplate'
    if ((await connection.prepared(present, [template])).rowCount === 1) return
    await connection.simple('select pg_advisory_lock(1)')
    if ((await connection.prepared(present, [template])).rowCount === 1) return
    await connection.simple(`drop database if exists ${template} with (force)`)
    await connection.simple(`create database ${template} owner ${server.owner.user}`)
    await migrate({ ...server.owner, database: template }, migrations, derivedLogins(testRootKey), testRootKey.id)
    await connection.simple(`alter database ${template} is_template true allow_connections false`)
  })
  return template
}

async function onServer(server: EmbeddedServer, sql: string): Promise<void> {
  await withConnection(server.superuser, 'fibric test', (connection) => connection.simple(sql))
}
