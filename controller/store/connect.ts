import { FibricError } from '../domain/errors.ts'
import { sqlStateOf } from './database-error.ts'
import { type EmbeddedServer, startEmbedded } from './embedded/server.ts'
import {
  appliedMigrations,
  boundRootKeyId,
  type Migration,
  migrate,
  readMigrations,
  refuseDivergence,
} from './migrate.ts'
import {
  type ConnectionTarget,
  connectOnce,
  type OwnedConnection,
  openPool,
  type Pool,
  parseDatabaseUrl,
  poolSizeMaxDefault,
  withConnection,
} from './pool.ts'
import {
  type ApplicationRole,
  derivedLogins,
  type Login,
  refuseUnboundLogin,
  type SecretSource,
  targetFor,
} from './roles.ts'
import { type AsTenant, type AsWorker, tenantEntry, workerEntry } from './tenancy.ts'

/** A root key as the store needs it; `tenancy/root-key.ts` makes it. */
export interface RootSecrets extends SecretSource {
  readonly id: string
}

export interface RootSecretsSource<Key extends RootSecrets = RootSecrets> {
  load(): Promise<Key | null>
  loadOrCreate(): Promise<Key>
}

export interface DatabaseSettings<Key extends RootSecrets = RootSecrets> {
  /** FIBRIC_DATABASE_URL or --database-url: the owner, or null for the embedded server. */
  readonly databaseUrl: string | null
  /** FIBRIC_DATABASE_APP_URL: a login made by somebody else; with it, none is derived. */
  readonly appUrl: string | null
  /** The worker's own login, where `appUrl` is not meant to serve both. */
  readonly workerUrl: string | null
  readonly dataDirectory: string
  readonly searchPath: string
  readonly rootKey: RootSecretsSource<Key>
  /**
   * `apply` brings roles, schema and logins up to date as the owner. `check` refuses a database that is not, without
   * using the owner at all; an embedded one is then brought up to date instead.
   */
  readonly migrate: 'apply' | 'check'
  readonly poolSizeMax?: number
  readonly log?: (line: string) => void
  /** Tests give their own. */
  readonly migrations?: readonly Migration[]
}

/** The database as everyone but `migrate` sees it: two entry points, each setting the row context. */
export interface Database<Key extends RootSecrets = RootSecrets> {
  readonly source: 'url' | 'embedded' | 'system'
  readonly asTenant: AsTenant
  readonly asWorker: AsWorker
  /** The root key this database is bound to; null where logins were given and no key was found. */
  readonly rootKey: Key | null
  /** What this opening migrated. */
  readonly applied: readonly Migration[]
  /**
   * Has what is named for this process alone, until it closes the database or dies; false where another process has it.
   * It costs a connection of its own.
   */
  readonly alone: (name: string) => Promise<boolean>
  /**
   * Ends the pools. A server of ours is then stopped if this process started it and nobody else uses it
   * (`if-idle`, the default), stopped whoever uses it (`stop`: the end of `up`), or left running.
   */
  close(server?: 'if-idle' | 'stop' | 'leave'): Promise<void>
}

/** Opens the database: FIBRIC_DATABASE_URL, else the embedded PostgreSQL, else one of the machine's. */
export async function openDatabase<Key extends RootSecrets>(settings: DatabaseSettings<Key>): Promise<Database<Key>> {
  if (settings.databaseUrl !== null) {
    return openOn(parseDatabaseUrl(settings.databaseUrl, 'FIBRIC_DATABASE_URL'), null, settings)
  }
  const server = await startEmbedded(settings)
  try {
    return await openEmbedded(server, { ...settings, appUrl: null, workerUrl: null })
  } catch (error) {
    if (server.started) await server.stopIfIdle()
    else await server.release()
    throw error
  }
}

/** Nobody else looks after an embedded database: whoever opens it brings it up to date, if it is not. */
async function openEmbedded<Key extends RootSecrets>(
  server: EmbeddedServer,
  settings: DatabaseSettings<Key>,
): Promise<Database<Key>> {
  try {
    return await openOn(server.owner, server, settings)
  } catch (error) {
    const curable = error instanceof FibricError && ['MIGRATION_NEEDED', 'ROOT_KEY_MISSING'].includes(error.code)
    if (settings.migrate === 'apply' || !curable) throw error
    return openOn(server.owner, server, { ...settings, migrate: 'apply' })
  }
}

async function openOn<Key extends RootSecrets>(
  owner: ConnectionTarget,
  server: EmbeddedServer | null,
  settings: DatabaseSettings<Key>,
): Promise<Database<Key>> {
  const migrations = settings.migrations ?? (await readMigrations())
  const rootKey = settings.migrate === 'apply' ? await settleRootKey(owner, settings) : await settings.rootKey.load()
  const logins = settleLogins(owner, settings, rootKey)
  const applied = settings.migrate === 'apply' ? await bringUpToDate(owner, migrations, logins, rootKey) : []
  if (settings.migrate === 'check') await checkUpToDate(logins, migrations, rootKey)
  const pools = logins.map(({ login, target }) => openLoginPool(login.role, target, settings))
  const [app, worker] = pools as [Pool, Pool]
  const owned: OwnedConnection[] = []
  return {
    source: server?.source ?? 'url',
    asTenant: tenantEntry(app),
    asWorker: workerEntry(worker),
    rootKey,
    applied,
    alone: (name) => takeAlone(logins[1]!.target, name, owned),
    close: async (fate = 'if-idle') => {
      await Promise.all(owned.map(letGo))
      await close(pools, server, fate)
    },
  }
}

interface SettledLogin {
  readonly login: Login
  readonly target: ConnectionTarget
}

/** The key that is there; a new one only for a database that was never bound to any. */
async function settleRootKey<Key extends RootSecrets>(owner: ConnectionTarget, settings: DatabaseSettings<Key>) {
  const [present, bound] = await Promise.all([
    settings.rootKey.load(),
    withConnection(owner, 'fibric migrate', boundRootKeyId),
  ])
  if (present === null && bound !== null) throw missingRootKey(bound)
  refuseOtherRoot(present, bound)
  return present ?? settings.rootKey.loadOrCreate()
}

function settleLogins(
  owner: ConnectionTarget,
  settings: DatabaseSettings,
  rootKey: RootSecrets | null,
): [SettledLogin, SettledLogin] {
  if (settings.appUrl !== null) {
    const app = parseDatabaseUrl(settings.appUrl, 'FIBRIC_DATABASE_APP_URL')
    const worker =
      settings.workerUrl === null ? app : parseDatabaseUrl(settings.workerUrl, 'FIBRIC_DATABASE_WORKER_URL')
    return [given('fibric_app', app), given('fibric_worker', worker)]
  }
  if (rootKey === null) {
    throw new FibricError('ROOT_KEY_MISSING', 'there is no root key to derive the database logins from', {
      hint: 'run `fibric migrate` on a new database, or bring the root.key this one was made with',
    })
  }
  return derivedLogins(rootKey).map((login) => ({ login, target: targetFor(login, owner) })) as [
    SettledLogin,
    SettledLogin,
  ]
}

function given(role: ApplicationRole, target: ConnectionTarget): SettledLogin {
  return { login: { role, user: target.user, password: null }, target }
}

async function bringUpToDate(
  owner: ConnectionTarget,
  migrations: readonly Migration[],
  logins: readonly SettledLogin[],
  rootKey: RootSecrets | null,
): Promise<readonly Migration[]> {
  const { applied } = await migrate(
    owner,
    migrations,
    logins.map(({ login }) => login),
    rootKey?.id ?? null,
  )
  for (const settled of logins) await refuseUnbound(settled)
  return applied
}

async function checkUpToDate(
  logins: readonly SettledLogin[],
  migrations: readonly Migration[],
  rootKey: RootSecrets | null,
): Promise<void> {
  await withLogin(logins[0]!, async (connection) => {
    const recorded = await appliedMigrations(connection)
    if (recorded !== null) refuseDivergence(migrations, recorded)
    if (recorded === null || recorded.length < migrations.length) {
      throw new FibricError('MIGRATION_NEEDED', 'the database is not at this version of fibric', {
        hint: 'run `fibric migrate`',
      })
    }
    refuseOtherRoot(rootKey, await boundRootKeyId(connection))
  })
  for (const settled of logins) await refuseUnbound(settled)
}

async function refuseUnbound(settled: SettledLogin): Promise<void> {
  // A derived login was made without powers and proven by `migrate`; a given one is somebody's word.
  if (settled.login.password !== null) return
  await withLogin(settled, (connection) => refuseUnboundLogin(connection, settled.login))
}

async function withLogin<T>(settled: SettledLogin, work: Parameters<typeof withConnection<T>>[2]): Promise<T> {
  try {
    return await withConnection(settled.target, 'fibric', work)
  } catch (error) {
    if (settled.login.password === null || !['28P01', '28000'].includes(sqlStateOf(error))) throw error
    throw new FibricError('MIGRATION_NEEDED', 'the database does not know the logins of this root key', {
      hint: 'run `fibric migrate`, or bring the root.key this database was made with',
      cause: error,
    })
  }
}

function refuseOtherRoot(rootKey: RootSecrets | null, bound: string | null): void {
  if (rootKey === null || bound === null || rootKey.id === bound) return
  throw new FibricError(
    'ROOT_KEY_INVALID',
    `the database is bound to root key ${bound}, and the one given is ${rootKey.id}`,
    {
      hint: 'bring the root.key this database was made with',
    },
  )
}

function missingRootKey(bound: string): FibricError {
  return new FibricError(
    'ROOT_KEY_MISSING',
    `the database holds keys sealed under root key ${bound}, which is not here`,
    {
      hint: 'put the root.key back, or set FIBRIC_ROOT_KEY: a new root could never open them',
    },
  )
}

function openLoginPool(role: ApplicationRole, target: ConnectionTarget, settings: DatabaseSettings): Pool {
  return openPool(target, { sizeMax: settings.poolSizeMax ?? poolSizeMaxDefault, applicationName: role })
}

function letGo(connection: OwnedConnection): Promise<void> {
  connection.hold(true) // the process ends after its answer
  return connection.close()
}

async function takeAlone(target: ConnectionTarget, name: string, owned: OwnedConnection[]): Promise<boolean> {
  const connection = await connectOnce(target, `fibric ${name}`)
  owned.push(connection)
  const lock = `select pg_try_advisory_lock(hashtextextended('fibric ' || $1, 0)) as taken`
  const { rows } = await connection.prepared<{ taken: boolean }>(lock, [name])
  connection.hold(false)
  return rows[0]?.taken === true
}

async function close(
  pools: readonly Pool[],
  server: EmbeddedServer | null,
  fate: 'if-idle' | 'stop' | 'leave',
): Promise<void> {
  await Promise.all(pools.map((pool) => pool.close()))
  if (server === null) return
  if (fate === 'stop') await server.stop()
  else if (fate === 'if-idle' && server.started) await server.stopIfIdle()
  else await server.release()
}
