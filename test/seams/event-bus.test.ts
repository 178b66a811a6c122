import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll } from 'vitest'
import { mintId } from '../../controller/domain/ids.ts'
import { sequencerOf } from '../../controller/ingest/sequencer.ts'
import { openEventBus } from '../../controller/operations/ingest.ts'
import type { EventBus } from '../../controller/seams/event-bus.ts'
import { doorbellOf } from '../../controller/store/event-doorbell.ts'
import { writeReplay } from '../../controller/store/event-replays.ts'
import { acme, globex, makeDomains } from '../ingest/world.ts'
import { type TestDatabase, testDatabase } from '../support/database.ts'
import { describeEventBus } from './event-bus.conformance.ts'
import { memoryEventBus } from './memory-event-bus.ts'

let world: TestDatabase
const buses: EventBus[] = []

beforeAll(async () => {
  world = await testDatabase()
  await makeDomains(world.database, acme, globex)
})

afterAll(async () => {
  for (const bus of buses) await bus.close()
  await world.close()
})

describeEventBus('PostgreSQL', () => ({
  tenants: [acme, globex],
  open: (options) => {
    const bus = openEventBus(world, options)
    buses.push(bus)
    return bus
  },
  settled: () => sequencerOf(world.database).settled(),
  replay: async (tenantId, consumer, from, to, types) => {
    const id = mintId('replay', Date.now(), randomBytes(10))
    await world.database.asWorker([tenantId], (tx) =>
      writeReplay(tx, {
        tenant_id: tenantId,
        replay_id: id,
        consumer,
        from_position: from,
        to_position: to,
        types,
        person: 'local:test',
        created_at: new Date().toISOString(),
      }),
    )
    doorbellOf(world.database).ring(tenantId)
    return id
  },
}))

const memory = memoryEventBus()

describeEventBus('memory, for unit tests', () => ({
  tenants: [acme, globex],
  open: memory.open,
  settled: async () => {},
  replay: memory.replay,
}))
