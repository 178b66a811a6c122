import { FibricError } from '../domain/errors.ts'
import type { TenantId } from '../domain/ids.ts'
import type { Connection, Pool } from './pool.ts'

export interface Transaction {
  /** Runs one statement, its text a constant, its values bound; answers its rows. */
  query<Row = Record<string, unknown>>(sql: string, parameters?: readonly unknown[]): Promise<Row[]>
  /** Runs one statement; answers how many rows it touched. */
  execute(sql: string, parameters?: readonly unknown[]): Promise<number>
}

export interface TransactionOptions {
  readonly access?: 'read write' | 'read only'
  /** `repeatable read` gives every statement of the transaction the same snapshot. */
  readonly isolation?: 'read committed' | 'repeatable read' | 'serializable'
  readonly statementTimeoutMs?: number
  /**
   * COMMIT travels with the statements, one round trip in all. For work that sends everything it has at once, and decides
   * nothing by the answers: what it throws after them comes too late.
   */
  readonly oneTrip?: boolean
}

export type Work<T> = (transaction: Transaction) => Promise<T>

/** The entry point of the login `fibric_app`: one domain a transaction. */
export type AsTenant = <T>(tenantId: TenantId, work: Work<T>, options?: TransactionOptions) => Promise<T>

/** The entry point of the login `fibric_worker`: the domains its batch names; none is allowed (ring, due times). */
export type AsWorker = <T>(tenantIds: readonly TenantId[], work: Work<T>, options?: TransactionOptions) => Promise<T>

export function tenantEntry(pool: Pool): AsTenant {
  return async (tenantId, work, options = {}) =>
    inTransaction(pool, `set local fibric.tenant_id = '${checkedId(tenantId)}'`, work, options)
}

export function workerEntry(pool: Pool): AsWorker {
  return async (tenantIds, work, options = {}) =>
    inTransaction(pool, `set local fibric.tenant_ids = '${tenantIds.map(checkedId).join(',')}'`, work, options)
}

const statementTimeoutMsDefault = 60_000
const idShape = /^t_[0-9a-z]+$/

/**
 * The only place where an id becomes part of a statement's text (the context has to travel in the round trip of
 * BEGIN, where nothing can be bound), so the shape is checked here, whatever the type says.
 */
function checkedId(id: TenantId): string {
  if (typeof id !== 'string' || id.length > 64 || !idShape.test(id)) {
    throw new FibricError('INTERNAL', 'a tenant id is not `t_` and lower-case letters and digits')
  }
  return id
}

/**
 * Runs `work` between BEGIN and COMMIT in the context given, on a connection that is destroyed on any error: one given
 * back inside an open transaction would serve its next caller in this one's context.
 */
async function inTransaction<T>(pool: Pool, context: string, work: Work<T>, options: TransactionOptions): Promise<T> {
  const opening = openingOf(context, options)
  return pool.use(async (connection) => {
    const running = new RunningTransaction(connection)
    // Not awaited first: the opening goes out together with the first statement of the work. Should it fail, nothing
    // after it can do harm: there is no context, so no row, and its error is the one that is thrown.
    const sent = [connection.simple(opening), start(work, running)] as const
    // Work that has sent nothing by now sends it later: it is waited for like any other.
    if (options.oneTrip && running.hasSent) return withCommit(connection, sent, running)
    const [opened, worked] = await Promise.allSettled(sent)
    running.finish()
    if (opened.status === 'rejected') throw opened.reason
    if (worked.status === 'rejected') throw worked.reason
    running.refuseUnwhole()
    await commit(connection)
    return worked.value
  })
}

/** A connection that is lost from here on may have committed, so what COMMIT says of it outranks the rest. */
async function withCommit<T>(
  connection: Connection,
  sent: readonly [Promise<unknown>, Promise<T>],
  running: RunningTransaction,
): Promise<T> {
  running.finish()
  const [opened, worked, committed] = await Promise.allSettled([...sent, commit(connection)])
  if (committed.status === 'rejected' && isLost(committed.reason)) throw committed.reason
  if (opened.status === 'rejected') throw opened.reason
  if (worked.status === 'rejected') throw worked.reason
  running.refuseUnwhole()
  if (committed.status === 'rejected') throw committed.reason
  return worked.value
}

function isLost(error: unknown): boolean {
  return error instanceof FibricError && error.code === 'DATABASE_UNAVAILABLE'
}

async function start<T>(work: Work<T>, transaction: Transaction): Promise<T> {
  return work(transaction)
}

async function commit(connection: Connection): Promise<void> {
  let command: string
  try {
    command = (await connection.simple('commit')).command
  } catch (error) {
    if (!(error instanceof FibricError) || error.code !== 'DATABASE_UNAVAILABLE') throw error
    throw new FibricError(
      'DATABASE_UNAVAILABLE',
      'the connection was lost during commit: it may or may not have happened',
      {
        cause: error,
        details: { ...error.details, commit: 'unknown' },
        hint: 'run the command again: what is already there is not done twice',
      },
    )
  }
  // A transaction that PostgreSQL aborted answers COMMIT without an error, and keeps nothing.
  if (command !== 'COMMIT') throw new FibricError('INTERNAL', 'the transaction was rolled back instead of committed')
}

function openingOf(context: string, options: TransactionOptions): string {
  const isolation = options.isolation ?? 'read committed'
  const access = options.access ?? 'read write'
  const timeoutMs = Math.max(1, Math.trunc(options.statementTimeoutMs ?? statementTimeoutMsDefault))
  return `begin isolation level ${isolation} ${access}; set local statement_timeout = ${timeoutMs}; ${context}`
}

/** The work that ended its transaction would go on without context, each statement kept at once. */
const transactionControl = new Set(['BEGIN', 'COMMIT', 'ROLLBACK', 'START', 'PREPARE'])

class RunningTransaction implements Transaction {
  readonly #connection: Connection
  #failed = false
  #finished = false
  #pending = 0

  constructor(connection: Connection) {
    this.#connection = connection
  }

  async query<Row>(sql: string, parameters: readonly unknown[] = []): Promise<Row[]> {
    return (await this.#run<Row>(sql, parameters)).rows
  }

  async execute(sql: string, parameters: readonly unknown[] = []): Promise<number> {
    return (await this.#run(sql, parameters)).rowCount
  }

  get hasSent(): boolean {
    return this.#pending > 0
  }

  /** From here on the connection is somebody else's. */
  finish(): void {
    this.#finished = true
  }

  /** Refuses to commit after an error the work swallowed, or before a statement it did not wait for. */
  refuseUnwhole(): void {
    if (this.#failed) throw new FibricError('INTERNAL', 'a statement of the transaction failed: nothing is kept')
    if (this.#pending > 0) throw new FibricError('INTERNAL', 'the transaction ended before its statements did')
  }

  async #run<Row>(sql: string, parameters: readonly unknown[]) {
    if (this.#finished) throw new FibricError('INTERNAL', 'the transaction is over')
    this.#pending++
    try {
      const answer = await this.#connection.prepared<Row>(sql, parameters)
      if (transactionControl.has(answer.command)) {
        throw new FibricError(
          'INTERNAL',
          `\`${answer.command.toLowerCase()}\` inside a transaction is its owner's to say`,
        )
      }
      return answer
    } catch (error) {
      this.#failed = true
      throw error
    } finally {
      this.#pending--
    }
  }
}
