import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openEventBus } from '../../controller/operations/ingest.ts'
import { type Database, openDatabase } from '../../controller/store/connect.ts'
import { type EmbeddedServer, startEmbedded } from '../../controller/store/embedded/server.ts'
import { connectOnce, type OwnedConnection, withConnection } from '../../controller/store/pool.ts'
import { type RootKey, rootKeySource } from '../../controller/tenancy/root-key.ts'
import { acme, event, makeDomains } from '../ingest/world.ts'

const folder = mkdtempSync(join(tmpdir(), 'fibric-horizon-'))
const dataDirectory = join(folder, '.fibric')
let server: EmbeddedServer
let database: Database<RootKey>
let foreign: OwnedConnection

/** A server of its own: prepared transactions have to be switched on, and what is left behind must trouble no other test. */
beforeAll(async () => {
  const first = await startEmbedded({ dataDirectory })
  await withConnection(first.superuser, 'fibric test', async (connection) => {
    await connection.simple('alter system set max_prepared_transactions = 5')
    await connection.simple('create database foreign_work')
  })
  await first.stop()
  server = await startEmbedded({ dataDirectory })
  database = await openDatabase<RootKey>({
    ...{ databaseUrl: null, appUrl: null, workerUrl: null, dataDirectory, searchPath: '', migrate: 'apply' as const },
    rootKey: rootKeySource({ dataDirectory, keyText: null }),
  })
  await makeDomains(database, acme)
  foreign = await connectOnce({ ...server.superuser, database: 'foreign_work' }, 'fibric test')
  await foreign.simple('create table public.held (n int)')
}, 120_000)

afterAll(async () => {
  await foreign?.close()
  await database?.close('leave')
  await server?.stop()
  rmSync(folder, { recursive: true, force: true })
})

/** Everything published while something holds the horizon arrives while it is still held: nobody waited for its end. */
async function deliversBeside(begin: string, end: string): Promise<void> {
  const bus = openEventBus({ database })
  const stopping = new AbortController()
  const seen: number[] = []
  const consumer = `operator:${randomBytes(4).toString('hex')}`
  await (await bus.claim({ tenantId: acme, consumer }))!.release()
  const following = bus.subscribe(
    { tenantId: acme, consumer },
    { signal: stopping.signal, handle: async ({ event: { payload } }) => void seen.push(payload.n as number) },
  )
  await foreign.simple(begin)
  for (let n = 0; n < 40; n++) await bus.publish(acme, [event({ n })])
  while (seen.length < 40) await new Promise((resolve) => setTimeout(resolve, 10))
  await foreign.simple(end)
  stopping.abort()
  await following
  await bus.close()
  expect(seen).toEqual(Array.from({ length: 40 }, (_, n) => n))
}

test('a writing transaction of another database that stays open delays no delivery', async () => {
  await deliversBeside('begin; insert into public.held values (1)', 'commit')
}, 60_000)

test('a prepared transaction that was left behind delays no delivery', async () => {
  await deliversBeside(
    `begin; insert into public.held values (2); prepare transaction 'left'`,
    `rollback prepared 'left'`,
  )
}, 60_000)

test('nor does one of the very database the events are in', async () => {
  const ours = { ...server.superuser, database: server.owner.database }
  const here = (sql: string) => withConnection(ours, 'fibric test', (connection) => connection.simple(sql))
  await here(`begin; create table public.ours (n int); prepare transaction 'ours'`)
  await deliversBeside('select 1', 'select 1')
  await here(`rollback prepared 'ours'`)
}, 60_000)
