import type { Json } from '../../domain/json.ts'
import type { Database } from '../../store/connect.ts'
import { beginOnce, endOnce, forgetOnce, readOnce } from '../../store/once.ts'
import { type DurableExec, NotDone, type OncePlace, type OnceResult } from '../durable-exec.ts'

/** One row a key: its insertion is the beginning, committed before `fn` runs; its result the end. */
export function postgresDurableExec(database: Database, clock: () => Date): DurableExec {
  return {
    async once({ tenantId, resellerId, key }: OncePlace, fn: () => Promise<Json>): Promise<OnceResult> {
      const beganAt = clock().toISOString()
      const begun = await database.asWorker([tenantId], (tx) => beginOnce(tx, { tenantId, resellerId, key, beganAt }))
      if (!begun) return recorded(database, { tenantId, resellerId, key })
      let result: Json
      try {
        result = await fn()
      } catch (error) {
        if (error instanceof NotDone) await database.asWorker([tenantId], (tx) => forgetOnce(tx, tenantId, key))
        throw error
      }
      await database.asWorker([tenantId], (tx) => endOnce(tx, tenantId, key, result, clock().toISOString()))
      return { kind: 'done', result, replayed: false }
    },
  }
}

async function recorded(database: Database, { tenantId, key }: OncePlace): Promise<OnceResult> {
  const row = await database.asWorker([tenantId], (tx) => readOnce(tx, tenantId, key), { access: 'read only' })
  // Gone between the two looks: it was not done, and whoever asks again may do it.
  if (row === null) throw new NotDone('another attempt ended without doing anything')
  if (row.ended_at === null) return { kind: 'in-doubt', beganAt: row.began_at }
  return { kind: 'done', result: row.result!.value, replayed: true }
}
