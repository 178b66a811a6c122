/**
 * Appends events over a database whose transactions end this process by SIGKILL at the point it is told, and says on
 * stdout, line by line, what was acknowledged.
 */
import { writeSync } from 'node:fs'
import type { TenantId } from '../../controller/domain/ids.ts'
import { appendEvents } from '../../controller/ingest/append.ts'
import { sequencerOf } from '../../controller/ingest/sequencer.ts'
import { openEventBus } from '../../controller/operations/ingest.ts'
import type { Database } from '../../controller/store/connect.ts'
import { openDatabase } from '../../controller/store/connect.ts'
import type { Transaction } from '../../controller/store/tenancy.ts'
import { type RootKey, rootKeyOf } from '../../controller/tenancy/root-key.ts'

const [ownerUrl, tenant, run, pointText] = process.argv.slice(2) as [string, TenantId, string, string]
const killAt = Number(pointText)
const rootKey = rootKeyOf(Buffer.alloc(32, 'fibric test root key'))
let points = 0

const opened = await openDatabase<RootKey>({
  databaseUrl: ownerUrl,
  appUrl: null,
  workerUrl: null,
  dataDirectory: '',
  searchPath: '',
  rootKey: { load: async () => rootKey, loadOrCreate: async () => rootKey },
  migrate: 'check',
  poolSizeMax: 4,
})
const database = mortal(opened)
const bus = openEventBus({ database })
const consumer = 'operator:crash'

for (let n = 0; n < 3; n++) {
  const key = `${run}-${n}`
  const [appended] = await appendEvents(database, tenant, [
    { source: 'crash', eventType: 'crash.sent', payload: { key }, origin: 'internal', key },
  ])
  say(`acknowledged ${key} ${appended!.eventId}`)
}
await sequencerOf(database).settled()
const claimed = await bus.claim({ tenantId: tenant, consumer, from: 0 })
if (claimed) {
  for (;;) {
    const deliveries = await claimed.poll(2)
    if (!deliveries || deliveries.length === 0) break
    for (const { event } of deliveries) say(`delivered ${event.event_id}`)
    await claimed.advance(deliveries.at(-1)!)
  }
  await claimed.release()
}
say(`points ${points}`)
await bus.close()
await opened.close()

/** Every statement, and the end of every transaction, is a point; before and after are two. */
function mortal(inner: Database<RootKey>): Database<RootKey> {
  return {
    ...inner,
    asWorker: async (tenants, work, options) => {
      const result = await inner.asWorker(
        tenants,
        (tx) => {
          const guarded: Transaction = {
            query: (sql, parameters) => around(() => tx.query(sql, parameters)),
            execute: (sql, parameters) => around(() => tx.execute(sql, parameters)),
          }
          return work(guarded)
        },
        options,
      )
      mark() // after the commit
      return result
    },
  }
}

async function around<T>(statement: () => Promise<T>): Promise<T> {
  mark()
  const answer = await statement()
  mark()
  return answer
}

function mark(): void {
  if (points++ === killAt) process.kill(process.pid, 'SIGKILL')
}

function say(line: string): void {
  writeSync(1, `${line}\n`)
}
