import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { startEmbedded } from '../controller/store/embedded/server.ts'
import { withConnection } from '../controller/store/pool.ts'

const batchRows = 200
/** About what a change writes: content, pointer, action and receipt. */
const rowBytes = [700, 400, 3000, 2500]

/**
 * Milliseconds to insert as many rows as an apply writes, as large, into four tables without keys, checks, row security
 * or JSON, 200 to a transaction, on the same server with the same durability: what no product could be faster than.
 */
export async function insertFloor(root: string, resources: number): Promise<number> {
  const server = await startEmbedded({ dataDirectory: join(root, '.fibric') })
  try {
    return await withConnection(server.owner, 'floor', async (connection) => {
      for (const table of rowBytes.keys())
        await connection.simple(`create table public.floor_${table} (id text, bytes bytea)`)
      const startedAt = performance.now()
      for (let first = 0; first < resources; first += batchRows) {
        const ids = Array.from({ length: Math.min(batchRows, resources - first) }, (_, index) => `row-${first + index}`)
        await connection.simple('begin')
        for (const [table, size] of rowBytes.entries()) {
          const sql = `insert into public.floor_${table} select * from unnest($1::text[], $2::bytea[])`
          await connection.prepared(sql, [ids, ids.map(() => randomBytes(size))])
        }
        await connection.simple('commit')
      }
      const tookMs = Math.round(performance.now() - startedAt)
      for (const table of rowBytes.keys()) await connection.simple(`drop table public.floor_${table}`)
      return tookMs
    })
  } finally {
    await server.stopIfIdle()
  }
}
