import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { digestBytes } from '../domain/digest.ts'
import { FibricError } from '../domain/errors.ts'
import { sqlStateOf } from './database-error.ts'
import { type Connection, type ConnectionTarget, withConnection } from './pool.ts'
import {
  applicationRoles,
  ensureApplicationRoles,
  ensureLogins,
  type Login,
  refuseUnboundLogin,
  resetPassword,
  targetFor,
} from './roles.ts'

/** One numbered file `NNNN-name.sql`; its first line says `-- workers: survive` or `-- workers: stop`. */
export interface Migration {
  readonly number: number
  readonly name: string
  /** Whether controllers of the version before may keep running while and after it is applied. */
  readonly workers: 'survive' | 'stop'
  readonly sql: string
  readonly checksum: string
}

export interface MigrationOutcome {
  readonly applied: readonly Migration[]
}

export interface RecordedMigration {
  readonly number: number
  readonly name: string
  readonly checksum: string
}

export const migrationsDirectory = fileURLToPath(new URL('./migrations/', import.meta.url))

export async function readMigrations(directory: string = migrationsDirectory): Promise<Migration[]> {
  const names = (await readdir(directory)).filter((name) => name.endsWith('.sql')).sort()
  const migrations = await Promise.all(
    names.map(async (name) => parse(name, await readFile(join(directory, name), 'utf8'))),
  )
  migrations.forEach(({ number, name }, index) => {
    if (number !== index + 1)
      throw new Error(`migration \`${name}\` should be number ${index + 1}: no gaps, no doubles`)
  })
  return migrations
}

/**
 * Brings a database to this version, as its owner: roles, schema `fibric`, the migrations it lacks (each in a
 * transaction of its own), logins. Run again, it changes nothing. Others that migrate the same database wait.
 *
 * `rootKeyId` is bound to the database the first time: `connect.ts` refuses any other root from then on.
 */
export async function migrate(
  owner: ConnectionTarget,
  migrations: readonly Migration[],
  logins: readonly Login[],
  rootKeyId: string | null,
): Promise<MigrationOutcome> {
  const applied = await withConnection(owner, 'fibric migrate', async (connection) => {
    await connection.simple(`select pg_advisory_lock(${migrationLock})`)
    await ensureApplicationRoles(connection)
    await connection.simple(ledger)
    const recorded = await readRecorded(connection)
    refuseDivergence(migrations, recorded)
    const missing = migrations.filter(({ number }) => number > recorded.length)
    for (const migration of missing) await apply(connection, migration)
    await bindRootKey(connection, rootKeyId)
    await ensureLogins(connection, logins)
    return missing
  })
  for (const login of logins) await proveLogin(owner, login)
  return { applied }
}

/** What was applied so far, oldest first; null where Fibric never was. */
export async function appliedMigrations(connection: Connection): Promise<RecordedMigration[] | null> {
  try {
    return await readRecorded(connection)
  } catch (error) {
    if (neverMigrated.has(sqlStateOf(error))) return null
    throw error
  }
}

/** The root key this database is bound to, or null. */
export async function boundRootKeyId(connection: Connection): Promise<string | null> {
  try {
    const { rows } = await connection.prepared<{ key_id: string }>('select key_id from fibric.root_key', [])
    return rows[0]?.key_id ?? null
  } catch (error) {
    if (neverMigrated.has(sqlStateOf(error))) return null
    throw error
  }
}

/** Refuses a database that this version does not know, or whose past differs from this version's. */
export function refuseDivergence(known: readonly Migration[], recorded: readonly RecordedMigration[]): void {
  const last = recorded.at(-1)
  if (last !== undefined && last.number > known.length) {
    throw new FibricError('DATABASE_VERSION', `the database is at migration \`${last.name}\`, newer than this fibric`, {
      hint: 'run the version of fibric that migrated it, or a newer one',
    })
  }
  for (const { number, name, checksum } of recorded) {
    if (known[number - 1]?.checksum !== checksum) {
      throw new FibricError('MIGRATION_CHANGED', `migration \`${name}\` was changed after it was applied`, {
        hint: 'restore the file as it was, and put the change into a new migration',
      })
    }
  }
}

const migrationLock = 7_230_411_803
/** no schema `fibric`, or no way into it · no table */
const neverMigrated = new Set(['3F000', '42P01', '42501'])

const ledger = `
  create schema if not exists fibric;
  create table if not exists fibric.schema_migrations (
    number integer primary key,
    name text not null,
    checksum text not null,
    workers text not null check (workers in ('survive', 'stop')),
    applied_at timestamptz not null default now()
  );
  create table if not exists fibric.root_key (
    only_one boolean primary key default true check (only_one),
    key_id text not null
  );
  grant select on fibric.schema_migrations, fibric.root_key to ${applicationRoles.join(', ')}`

async function readRecorded(connection: Connection): Promise<RecordedMigration[]> {
  const sql = 'select number, name, checksum from fibric.schema_migrations order by number'
  return (await connection.prepared<RecordedMigration>(sql, [])).rows
}

/** The file and its record in one transaction: a migration is applied whole and known, or not at all. */
async function apply(connection: Connection, migration: Migration): Promise<void> {
  const { number, name, checksum, workers } = migration
  await connection.simple("begin; set local lock_timeout = '60s'")
  try {
    await connection.simple(migration.sql)
    await connection.prepared(
      'insert into fibric.schema_migrations (number, name, checksum, workers) values ($1, $2, $3, $4)',
      [number, name, checksum, workers],
    )
    const { command } = await connection.simple('commit')
    if (command !== 'COMMIT') throw new FibricError('INTERNAL', 'its transaction was rolled back')
  } catch (error) {
    const reason = error instanceof FibricError && error.cause instanceof Error ? error.cause.message : String(error)
    throw new FibricError('INTERNAL', `migration \`${name}\` failed: ${reason}`, { cause: error })
  }
}

async function bindRootKey(connection: Connection, rootKeyId: string | null): Promise<void> {
  if (rootKeyId === null) return
  await connection.prepared('insert into fibric.root_key (key_id) values ($1) on conflict do nothing', [rootKeyId])
}

/** A login that cannot get in is found now, by whoever migrates, not by the first request. */
async function proveLogin(owner: ConnectionTarget, login: Login): Promise<void> {
  if (login.password === null) return
  const prove = () =>
    withConnection(targetFor(login, owner), 'fibric migrate', (connection) => refuseUnboundLogin(connection, login))
  try {
    await prove()
  } catch (error) {
    if (sqlStateOf(error) !== '28P01') throw error
    await withConnection(owner, 'fibric migrate', (connection) => resetPassword(connection, login))
    await prove()
  }
}

function parse(file: string, sql: string): Migration {
  const number = /^(\d{4})-[a-z0-9-]+\.sql$/.exec(file)?.[1]
  if (number === undefined) throw new Error(`migration \`${file}\` is not named NNNN-name.sql`)
  const workers = /^-- workers: (survive|stop)\r?\n/.exec(sql)?.[1] as Migration['workers'] | undefined
  if (workers === undefined) {
    throw new Error(`migration \`${file}\` does not begin with \`-- workers: survive\` or \`-- workers: stop\``)
  }
  return { number: Number(number), name: file.slice(0, -'.sql'.length), workers, sql, checksum: digestBytes(sql) }
}
