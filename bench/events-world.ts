import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Slug, TenantId } from '../controller/domain/ids.ts'
import type { Engine } from '../controller/engine.ts'
import { openDatabase } from '../controller/store/connect.ts'
import { createDomain } from '../controller/store/domains.ts'
import { type EmbeddedServer, startEmbedded } from '../controller/store/embedded/server.ts'
import { connectOnce, withConnection } from '../controller/store/pool.ts'
import { type RootKey, rootKeySource } from '../controller/tenancy/root-key.ts'

/** The embedded PostgreSQL with its durability on, migrated, in a folder that goes with the run. */
export async function withEventsDatabase(
  work: (database: Engine['database'], server: EmbeddedServer) => Promise<void>,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'fibric-bench-'))
  const dataDirectory = join(folder, '.fibric')
  try {
    const server = await startEmbedded({ dataDirectory })
    const database = await openDatabase<RootKey>({
      ...{ databaseUrl: null, appUrl: null, workerUrl: null, dataDirectory, searchPath: '', migrate: 'apply' as const },
      rootKey: rootKeySource({ dataDirectory, keyText: null }),
    })
    try {
      await work(database, server)
    } finally {
      await database.close('leave')
      await server.stop()
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Domains without anything applied in them: all that the log asks for. */
export async function benchTenants(database: Engine['database'], name: string, count: number): Promise<TenantId[]> {
  const ids = Array.from({ length: count }, (_, n) => `t_${name}${n}` as TenantId)
  for (const tenantId of ids) {
    const domain = {
      tenantId,
      resellerId: null,
      slug: tenantId.slice(2) as Slug,
      ledgerId: `l_${randomBytes(8).toString('hex')}`,
      now: new Date().toISOString(),
    }
    await database.asWorker([tenantId], (tx) => createDomain(tx, domain))
  }
  return ids
}

/** Does something while a transaction of another database has written and stays open. */
export async function besideForeignWriter<T>(server: EmbeddedServer, work: () => Promise<T>): Promise<T> {
  await withConnection(server.superuser, 'bench', (connection) => connection.simple('create database foreign_work'))
  const foreign = await connectOnce({ ...server.superuser, database: 'foreign_work' }, 'bench')
  try {
    await foreign.simple('create table public.held (n int); begin; insert into public.held values (1)')
    return await work()
  } finally {
    await foreign.close()
  }
}

export function spread(values: readonly number[]) {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (share: number): number =>
    Math.round((sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN) * 10) / 10
  return { p50: at(0.5), p99: at(0.99), max: at(1) }
}
