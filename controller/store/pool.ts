import { hash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { FibricError } from '../domain/errors.ts'
import { databaseError } from './database-error.ts'
import { arrayParsers, scalarParsers } from './value-types.ts'

/**
 * The only door to the PostgreSQL driver. What leaves this file can be queried by `controller/store` alone:
 * everyone else holds a `Database`, whose entry points set the row context first (see `tenancy.ts`).
 */
export interface ConnectionTarget {
  readonly host: string
  readonly port: number
  readonly database: string
  readonly user: string
  readonly password: string | null
  /** As the driver takes it: `false`, `true`, or TLS options. */
  readonly ssl: unknown
}

export interface Answer<Row> {
  readonly rows: Row[]
  readonly rowCount: number
  /** The tag of the statement that ran: a COMMIT of an aborted transaction answers `ROLLBACK`. */
  readonly command: string
}

export interface Connection {
  /** Text that may hold several statements; parameters are not possible. */
  simple(sql: string): Promise<Answer<unknown>>
  /** One statement, prepared under a name derived from its text, so a constant is parsed once a connection. */
  prepared<Row>(sql: string, parameters: readonly unknown[]): Promise<Answer<Row>>
}

export interface OwnedConnection extends Connection {
  /** Whether the open connection keeps the process from ending. It has to while an answer is awaited. */
  hold(process: boolean): void
  close(): Promise<void>
}

export interface Pool {
  readonly target: ConnectionTarget
  /** Lends a connection. It comes back only if `work` resolves; on any error it is destroyed. */
  use<T>(work: (connection: Connection) => Promise<T>): Promise<T>
  close(): Promise<void>
}

export interface PoolOptions {
  readonly sizeMax: number
  readonly applicationName: string
}

export const poolSizeMaxDefault = 8

/** Reads a connection URL. The text itself never reaches an error: it holds a password. */
export function parseDatabaseUrl(url: string, setting: string): ConnectionTarget {
  if (!/^postgres(ql)?:\/\//.test(url)) throw unreadableUrl(setting)
  try {
    const client = new pg.Client({ connectionString: url })
    const { host, port, database, user, password } = client
    // The driver keeps what it read of `sslmode` here; its types do not say so.
    const { ssl } = client as unknown as { ssl?: unknown }
    return { host, port, database: database ?? '', user: user ?? '', password: password ?? null, ssl: ssl ?? false }
  } catch {
    throw unreadableUrl(setting)
  }
}

/** The same login as a URL, for tools that take one. */
export function databaseUrlOf(target: ConnectionTarget): string {
  const query = new URLSearchParams({ host: target.host, port: String(target.port), user: target.user })
  if (target.password !== null) query.set('password', target.password)
  return `postgresql:///${encodeURIComponent(target.database)}?${query}`
}

export function openPool(target: ConnectionTarget, options: PoolOptions): Pool {
  const pool = new pg.Pool({
    ...clientOptions(target, options.applicationName),
    max: options.sizeMax,
    idleTimeoutMillis: 30_000,
    maxLifetimeSeconds: 3600,
    allowExitOnIdle: true,
  })
  // An idle connection that breaks is dropped by the pool itself; the next caller opens another or gets the error.
  pool.on('error', () => {})
  return {
    target,
    use: (work) => lend(pool, target, work),
    close: () => pool.end(),
  }
}

/** One connection of its own, outside any pool: migrations, and the embedded server's presence. */
export async function connectOnce(target: ConnectionTarget, applicationName: string): Promise<OwnedConnection> {
  const client = new pg.Client(clientOptions(target, applicationName))
  client.on('error', () => {}) // the query that meets the broken connection reports it
  try {
    await client.connect()
  } catch (error) {
    throw databaseError(error, target)
  }
  return {
    ...connectionOver(client, target),
    hold: (process) => holdProcess(client, process),
    close: () => client.end().catch(() => {}), // a connection that is already gone is closed
  }
}

export async function withConnection<T>(
  target: ConnectionTarget,
  applicationName: string,
  work: (connection: Connection) => Promise<T>,
): Promise<T> {
  const connection = await connectOnce(target, applicationName)
  try {
    return await work(connection)
  } finally {
    await connection.close()
  }
}

function clientOptions(target: ConnectionTarget, applicationName: string): pg.ClientConfig & { pipeline: true } {
  return {
    host: target.host,
    port: target.port,
    database: target.database,
    user: target.user,
    ...(target.password === null ? {} : { password: target.password }),
    ssl: target.ssl as boolean,
    application_name: applicationName,
    // Text that depends on the zone comes out the same everywhere, every statement has to name its schema, and a process
    // that sleeps inside a transaction (a closed laptop) holds its locks for a minute at most.
    options: '-c timezone=UTC -c search_path=pg_catalog -c idle_in_transaction_session_timeout=60000',
    // Statements are sent without waiting for the answer before: BEGIN travels with the first of them. A transaction of
    // one statement takes 0.16 ms over the socket against 0.37.
    pipeline: true,
    connectionTimeoutMillis: 10_000,
    keepAlive: true,
    types: valueTypes,
  }
}

/** Both are there, but not in the driver's types. */
function holdProcess(client: pg.Client, hold: boolean): void {
  const socket = client as unknown as { ref(): void; unref(): void }
  if (hold) socket.ref()
  else socket.unref()
}

/** The driver's own readers, but for the types whose JavaScript form is decided in `value-types.ts`. */
const valueTypes: pg.CustomTypesConfig = {
  getTypeParser(oid: number, format?: 'text' | 'binary') {
    if (format === 'binary') return pg.types.getTypeParser(oid, 'binary')
    const scalar = scalarParsers.get(oid)
    if (scalar !== undefined) return scalar
    const element = arrayParsers.get(oid)
    if (element === undefined) return pg.types.getTypeParser(oid, 'text')
    return (text: string) => readTextArray(text).map((item) => (item === null ? null : element(item)))
  },
}

const textArrayOid = 1009 as Parameters<typeof pg.types.getTypeParser>[0] // array types have no name there
const readTextArray = pg.types.getTypeParser(textArrayOid, 'text') as (text: string) => (string | null)[]

async function lend<T>(pool: pg.Pool, target: ConnectionTarget, work: (connection: Connection) => Promise<T>) {
  const client = await lease(pool, target)
  // While lent, the pool does not listen: an unheard `error` event would end the process.
  const unheard = () => {}
  client.on('error', unheard)
  try {
    const result = await work(connectionOver(client, target))
    client.off('error', unheard)
    client.release()
    return result
  } catch (error) {
    // The driver would say goodbye only after statements in flight; one that waits for a lock would hold its own.
    destroySocket(client)
    client.release(true)
    throw error
  }
}

function destroySocket(client: pg.PoolClient): void {
  // There, but not in the driver's types.
  const { connection } = client as unknown as { connection: { stream: { destroy(): void } } }
  connection.stream.destroy()
}

/** A server that is just starting (57P03) or full (53300) is given a moment: both pass by themselves. */
async function lease(pool: pg.Pool, target: ConnectionTarget): Promise<pg.PoolClient> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await pool.connect()
    } catch (error) {
      const state = (error as { code?: unknown }).code
      if (attempt === 5 || (state !== '57P03' && state !== '53300')) throw databaseError(error, target)
      await sleep(attempt * 50)
    }
  }
}

function connectionOver(client: pg.ClientBase, target: ConnectionTarget): Connection {
  return {
    simple: (sql) => {
      sendTogether(client)
      return answer(client.query(sql), target)
    },
    prepared: <Row>(sql: string, parameters: readonly unknown[]) => {
      sendTogether(client)
      return answer<Row>(client.query({ name: statementName(sql), text: sql, values: [...parameters] }), target)
    },
  }
}

/** Statements that are sent at once leave in one write: BEGIN and what comes with it would each be a call to the kernel. */
function sendTogether(client: pg.ClientBase): void {
  // There, but not in the driver's types.
  const { stream } = (client as unknown as { connection: { stream: { cork(): void; uncork(): void } } }).connection
  stream.cork()
  queueMicrotask(() => stream.uncork())
}

async function answer<Row>(pending: Promise<pg.QueryResult>, target: ConnectionTarget): Promise<Answer<Row>> {
  try {
    const result = await pending
    // Several statements answer with a list: the last one is what the caller asked for.
    const last = Array.isArray(result) ? (result.at(-1) as pg.QueryResult) : result
    return { rows: last.rows as Row[], rowCount: last.rowCount ?? 0, command: last.command }
  } catch (error) {
    throw databaseError(error, target)
  }
}

const statementNames = new Map<string, string>()
/** Named statements live as long as their connection, so text that never repeats must not be named. */
const statementNamesMax = 2000

function statementName(sql: string): string | undefined {
  const known = statementNames.get(sql)
  if (known !== undefined) return known
  if (statementNames.size >= statementNamesMax) return undefined
  const name = `f_${hash('sha256', sql, 'hex').slice(0, 32)}`
  statementNames.set(sql, name)
  return name
}

function unreadableUrl(setting: string): FibricError {
  return new FibricError('USAGE', `${setting} is not a PostgreSQL URL`, {
    hint: 'write it as postgresql://user:password@host:5432/database',
  })
}
