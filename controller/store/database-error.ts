import { FibricError } from '../domain/errors.ts'

/** Where a connection went, in words that may be printed: never a password. */
export interface ConnectionPlace {
  readonly host: string
  readonly port: number
  readonly database: string
  readonly user: string
}

/** What the database or the way to it answered, as an error with a code of ours. The driver's error stays the cause. */
export function databaseError(error: unknown, place: ConnectionPlace): Error {
  if (error instanceof FibricError) return error
  const state = codeOf(error)
  const details = { sqlState: state, ...objectsOf(error) }
  const unreachable = connectionFailures[state] ?? (isConnectionLoss(error, state) ? 'the connection was lost' : null)
  if (unreachable !== null) {
    return new FibricError('DATABASE_UNAVAILABLE', `${whereOf(place)}: ${unreachable}`, {
      cause: error,
      details,
      hint: hints[state] ?? 'check that the server runs and can be reached, then try again',
    })
  }
  if (conflicts.has(state)) {
    return new FibricError('STATE_CONFLICT', `the database refused a concurrent or conflicting change (${state})`, {
      cause: error,
      details,
      hint: 'try again: nothing of this attempt was kept',
    })
  }
  if (state === '57014') {
    return new FibricError('DATABASE_TIMEOUT', 'a statement took longer than its limit and was cancelled', {
      cause: error,
      details,
    })
  }
  return new FibricError('INTERNAL', `the database refused a statement (${state || 'no SQLSTATE'})`, {
    cause: error,
    details,
  })
}

/** Whether the database is away, busy or in conflict, which passes, rather than refusing what it was told. */
export function isPassing(error: unknown): boolean {
  return error instanceof FibricError && passing.has(error.code)
}

/** The SQLSTATE behind an error of this layer, or an empty text. */
export function sqlStateOf(error: unknown): string {
  if (error instanceof FibricError && typeof error.details.sqlState === 'string') return error.details.sqlState
  return codeOf(error)
}

/** The name of the constraint that refused a row, or null. */
export function constraintOf(error: unknown): string | null {
  if (!(error instanceof FibricError)) return null
  return typeof error.details.constraint === 'string' ? error.details.constraint : null
}

const connectionFailures: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there',
  ENOENT: 'its socket does not exist',
  ENOTFOUND: 'the host name is unknown',
  EAI_AGAIN: 'the host name could not be looked up',
  EHOSTUNREACH: 'the host cannot be reached',
  ENETUNREACH: 'the network cannot be reached',
  ETIMEDOUT: 'no answer in time',
  EACCES: 'its socket may not be opened by this user',
  '28P01': 'the password was refused',
  '28000': 'the login was refused',
  '3D000': 'the database does not exist',
  '53300': 'the server has no connection left',
  '57P01': 'the server is shutting down',
  '57P02': 'the server crashed and restarts',
  '57P03': 'the server is starting or stopping',
}

const hints: Readonly<Record<string, string>> = {
  '28P01': 'run `fibric migrate` with the owner, or check the password and the root key',
  '28000': 'check the user name and what pg_hba.conf lets in',
  '3D000': 'create the database, or check its name',
  '53300': 'raise max_connections, or lower the pool size',
  ENOTFOUND: 'check the host in the database URL',
}

const passing: ReadonlySet<string> = new Set(['DATABASE_UNAVAILABLE', 'DATABASE_TIMEOUT', 'STATE_CONFLICT'])

/** unique, exclusion, serialization, deadlock, lock not available */
const conflicts = new Set(['23505', '23P01', '40001', '40P01', '55P03'])

function codeOf(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code
  return typeof code === 'string' ? code : ''
}

function isConnectionLoss(error: unknown, state: string): boolean {
  if (state.startsWith('08') || state === 'ECONNRESET' || state === 'EPIPE') return true
  if (!(error instanceof Error)) return false
  return /connection terminated|connection error|not queryable|timeout exceeded|closed the connection/i.test(
    error.message,
  )
}

/** Names only. PostgreSQL's own `detail` quotes row values, which are a tenant's. */
function objectsOf(error: unknown): { [key: string]: string } {
  const from = error as { [key: string]: unknown }
  const names: { [key: string]: string } = {}
  for (const key of ['schema', 'table', 'column', 'constraint']) {
    const value = from?.[key]
    if (typeof value === 'string') names[key] = value
  }
  return names
}

function whereOf(place: ConnectionPlace): string {
  const host = place.host.startsWith('/') ? 'socket' : `${place.host}:${place.port}`
  return `database \`${place.database}\` at ${host} as \`${place.user}\``
}
