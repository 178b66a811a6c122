import { setTimeout as sleep } from 'node:timers/promises'
import type { ConnectionTarget, OwnedConnection } from '../pool.ts'
import { connectOnce } from '../pool.ts'

/** One connection a process holds while it uses the server, so that nobody stops the server under it. */
export interface Presence {
  /** Gives the server up; answers whether this process was the last to use it and now holds the door. */
  leave(): Promise<boolean>
  close(): Promise<void>
}

const lock = 7_230_411_801
const ownerLock = 7_230_411_802
const lingerMsMax = 1000

/**
 * Joins the server's users under a shared lock, and makes the owner and its database if this server is new.
 *
 * Who wants to stop the server takes the lock exclusively: a newcomer then waits at this door, is cut off by the stop,
 * and starts the server anew instead of losing it in the middle of its work.
 */
export async function joinServer(target: ConnectionTarget, database: string, owner: string): Promise<Presence> {
  const connection = await connectOnce(target, 'fibric presence')
  try {
    await connection.simple(`select pg_advisory_lock_shared(${lock})`)
    await ensureOwner(connection, database, owner)
  } catch (error) {
    await connection.close()
    throw error
  }
  connection.hold(false)
  return { leave: () => leave(connection), close: () => close(connection) }
}

/**
 * The owner is an ordinary login, so that what works here works where the owner is all one gets. It may create
 * databases and logins, and bypasses nothing.
 */
async function ensureOwner(connection: OwnedConnection, database: string, owner: string): Promise<void> {
  if (await hasDatabase(connection, database)) return
  await connection.simple(`select pg_advisory_lock(${ownerLock})`)
  if (!(await hasDatabase(connection, database))) {
    await connection.simple(`do $$ begin
      if not exists (select from pg_roles where rolname = '${owner}') then
        create role ${owner} login createdb createrole;
      end if;
    end $$`)
    await connection.simple(`create database ${database} owner ${owner}`)
  }
  await connection.simple(`select pg_advisory_unlock(${ownerLock})`)
}

async function hasDatabase(connection: OwnedConnection, database: string): Promise<boolean> {
  const { rowCount } = await connection.prepared('select from pg_database where datname = $1', [database])
  return rowCount === 1
}

function close(connection: OwnedConnection): Promise<void> {
  connection.hold(true)
  return connection.close()
}

async function leave(connection: OwnedConnection): Promise<boolean> {
  connection.hold(true)
  await connection.simple(`select pg_advisory_unlock_shared(${lock})`)
  const { rows } = await connection.prepared<{ free: boolean }>(`select pg_try_advisory_lock(${lock}) as free`, [])
  return rows[0]?.free === true && (await isAlone(connection))
}

/** Our own pools' sessions take a moment to end after they were closed; a psql stays. */
async function isAlone(connection: OwnedConnection): Promise<boolean> {
  const others = `select from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()`
  for (let waitedMs = 0; waitedMs < lingerMsMax; waitedMs += 10) {
    if ((await connection.prepared(others, [])).rowCount === 0) return true
    await sleep(10)
  }
  return false
}
