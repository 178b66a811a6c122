import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { platformTenantId, type TenantId } from '../../controller/domain/ids.ts'
import { appendEvents } from '../../controller/ingest/append.ts'
import { sequencerOf, sweepEvents } from '../../controller/ingest/sequencer.ts'
import { readEvent, readEvents, readFrom } from '../../controller/store/events.ts'
import { rotateIngestKeys } from '../../controller/store/ingest-keys.ts'
import { type TestDatabase, testDatabase } from '../support/database.ts'
import { acme, event, globex, makeDomains } from './world.ts'

let world: TestDatabase

beforeAll(async () => {
  world = await testDatabase()
  await makeDomains(world.database, acme, globex)
})

afterAll(async () => {
  await world.close()
})

async function logOf(tenantId: TenantId) {
  await sequencerOf(world.database).settled()
  return world.database.asTenant(tenantId, (tx) => readFrom(tx, tenantId, { after: 0, limit: 100_000 }))
}

describe('an appended event', () => {
  test('is read back with its ten fields, absence as null', async () => {
    const [appended] = await appendEvents(world.database, acme, [event({ order: 7 })])
    const stored = await world.database.asTenant(acme, (tx) => readEvent(tx, [acme], appended!.eventId))
    expect(stored?.envelope).toEqual({
      event_id: appended!.eventId,
      reseller_id: null,
      tenant_id: acme,
      workspace_id: null,
      source: 'shop',
      event_type: 'order.created',
      correlation_id: expect.stringMatching(/^co_[0-9a-f]{32}$/),
      payload: { order: 7 },
      agent_id: null,
      session_id: null,
    })
  })

  test('is invisible from another domain', async () => {
    const [appended] = await appendEvents(world.database, acme, [event()])
    expect(await world.database.asTenant(globex, (tx) => readEvent(tx, [acme], appended!.eventId))).toBeNull()
    expect(await world.database.asTenant(globex, (tx) => readFrom(tx, acme, { after: 0, limit: 10 }))).toEqual([])
  })

  test('keeps U+0000 and half a surrogate pair in its payload', async () => {
    const payload = { text: 'a\u0000b\ud800', '\udfff\u0000': 1 }
    const [appended] = await appendEvents(world.database, acme, [event(payload)])
    const stored = await world.database.asTenant(acme, (tx) => readEvent(tx, [acme], appended!.eventId))
    expect(stored?.envelope.payload).toEqual(payload)
  })

  test('of a domain that is not there is refused, and those beside it are not', async () => {
    const nobody = 't_nobody' as TenantId
    const both = await Promise.allSettled([
      appendEvents(world.database, nobody, [event()]),
      appendEvents(world.database, acme, [event()]),
    ])
    expect(both.map(({ status }) => status)).toEqual(['rejected', 'fulfilled'])
  })
})

describe('an idempotency key', () => {
  test('answers the first event again for the same content, and refuses other content', async () => {
    const first = await appendEvents(world.database, acme, [event({ n: 1, m: 2 }, { key: 'k1' })])
    const again = await appendEvents(world.database, acme, [event({ m: 2, n: 1 }, { key: 'k1' })])
    const other = await appendEvents(world.database, acme, [event({ n: 2 }, { key: 'k1' })])
    expect(again).toEqual([{ outcome: 'duplicate', eventId: first[0]!.eventId }])
    expect(other).toEqual([{ outcome: 'conflict', eventId: first[0]!.eventId }])
  })

  test('binds within its source and its domain only', async () => {
    const outcomes = await Promise.all([
      appendEvents(world.database, acme, [event({ a: 1 }, { key: 'k2' })]),
      appendEvents(world.database, acme, [event({ a: 2 }, { key: 'k2', source: 'other' })]),
      appendEvents(world.database, globex, [event({ a: 3 }, { key: 'k2' })]),
    ])
    expect(outcomes.flat().map(({ outcome }) => outcome)).toEqual(['appended', 'appended', 'appended'])
  })

  test('has one winner among many at once, in one batch and in several', async () => {
    const before = (await logOf(acme)).length
    const many = await Promise.all(
      Array.from({ length: 40 }, () => appendEvents(world.database, acme, [event({ x: 1 }, { key: 'k3' })])),
    )
    const batch = await appendEvents(world.database, acme, [
      event({ x: 1 }, { key: 'k3' }),
      event({ x: 5 }, { key: 'k4' }),
      event({ x: 5 }, { key: 'k4' }),
      event({ x: 6 }, { key: 'k4' }),
    ])
    expect(many.flat().filter(({ outcome }) => outcome === 'appended')).toHaveLength(1)
    expect(new Set([...many.flat(), batch[0]!].map(({ eventId }) => eventId)).size).toBe(1)
    expect(batch.map(({ outcome }) => outcome)).toEqual(['duplicate', 'appended', 'duplicate', 'conflict'])
    expect(await logOf(acme)).toHaveLength(before + 2)
  })

  test('binds for one to two windows: over one rotation, not over two', async () => {
    const send = () => appendEvents(world.database, acme, [event({ w: 1 }, { key: 'k5' })])
    const rotate = () => world.database.asWorker([platformTenantId], (tx) => rotateIngestKeys(tx, 0))
    const [first] = await send()
    expect(await world.database.asWorker([platformTenantId], (tx) => rotateIngestKeys(tx, 3_600_000_000))).toBe(false)
    expect(await rotate()).toBe(true)
    expect(await send()).toEqual([{ outcome: 'duplicate', eventId: first!.eventId }])
    expect(await rotate()).toBe(true)
    const [later] = await send()
    expect(later).toMatchObject({ outcome: 'appended' })
    for (let turn = 0; turn < 4; turn++) {
      await rotate()
      expect((await send())[0]!.outcome).toBe(turn % 2 === 0 ? 'duplicate' : 'appended')
    }
  })

  test('keeps its one winner while generations turn under load', async () => {
    const outcomes: string[] = []
    const rotating = (async () => {
      await world.database.asWorker([platformTenantId], (tx) => rotateIngestKeys(tx, 0))
    })()
    await Promise.all(
      Array.from({ length: 30 }, async (_, index) => {
        const [appended] = await appendEvents(world.database, acme, [event({ y: 1 }, { key: `k6-${index % 3}` })])
        outcomes.push(appended!.outcome)
      }),
    )
    await rotating
    expect(outcomes.filter((outcome) => outcome === 'appended')).toHaveLength(3)
  })
})

describe('positions', () => {
  test('are dense and follow the order of acknowledgement', async () => {
    const sent: string[] = []
    for (let n = 0; n < 30; n++) sent.push((await appendEvents(world.database, globex, [event({ n })]))[0]!.eventId)
    const log = await logOf(globex)
    expect(log.map(({ position }) => position)).toEqual(log.map((_, index) => index + 1))
    expect(log.map(({ envelope }) => envelope.event_id).slice(-30)).toEqual(sent)
  })

  test('are found for what a killed process left without', async () => {
    await world.database.asWorker([acme], async (tx) => {
      await tx.execute(
        `insert into fibric.event (tenant_id, event_id, source, event_type, correlation_id, origin, payload, received_at)
         values ($1, 'ev_left', 's', 't.t', 'co_x', 'internal', '{}', now())`,
        [acme],
      )
    })
    await sweepEvents(world.database)
    expect((await logOf(acme)).at(-1)?.envelope.event_id).toBe('ev_left')
  })

  test('lists newest first, page by page, with filters', async () => {
    await appendEvents(world.database, globex, [event({}, { source: 'till' }), event({}, { source: 'till' })])
    const page = (before: string | null) =>
      world.database.asTenant(globex, (tx) => readEvents(tx, { tenants: [globex], before, limit: 1, source: 'till' }))
    const first = await page(null)
    const second = await page(first[0]!.envelope.event_id)
    expect(await page(second[0]!.envelope.event_id)).toEqual([])
    expect(first[0]!.envelope.event_id > second[0]!.envelope.event_id).toBe(true)
  })
})
