import { afterAll, beforeAll, expect, test } from 'vitest'
import { digestBytes } from '../../controller/domain/digest.ts'
import type { TenantId } from '../../controller/domain/ids.ts'
import { appendEvents } from '../../controller/ingest/append.ts'
import { logSettings, maintainLog } from '../../controller/ingest/maintenance.ts'
import { sequencerOf } from '../../controller/ingest/sequencer.ts'
import { visibleDomains } from '../../controller/operations/domains.ts'
import { followEvents, listEvents } from '../../controller/operations/events.ts'
import { openEventBus, settleEventLog } from '../../controller/operations/ingest.ts'
import { replayEvents } from '../../controller/operations/replay.ts'
import { type Evidence, writeEvidence } from '../../controller/store/evidence.ts'
import { open } from '../operations/repositories.ts'
import { type TestEngine, testEngine } from '../support/engine.ts'
import { event } from './world.ts'

let engine: TestEngine
let acme: TenantId

beforeAll(async () => {
  engine = await testEngine(open)
  await engine.apply()
  acme = (await visibleDomains(engine, 'acme'))[0]!.tenant_id
})

afterAll(async () => {
  await engine.close()
})

const day = (text: string) => () => new Date(`${text}T12:00:00Z`)
const weeks = async () =>
  (
    await engine.sql<{ name: string }>(
      `select c.relname as name from pg_inherits i join pg_class c on c.oid = i.inhrelid
        where i.inhparent = 'fibric.event'::regclass and c.relname <> 'event_default' order by 1`,
    )
  ).map(({ name }) => name)
const keep = { ...logSettings, retentionMs: 14 * 86_400_000 }

async function append(date: string, type = 'order.created') {
  const [appended] = await appendEvents(engine.database, acme, [event({}, { eventType: type })], day(date))
  await sequencerOf(engine.database).settled()
  return appended!.eventId
}

/** Every consumer has seen everything. */
async function passAll(): Promise<void> {
  const bus = openEventBus(engine)
  for (const { consumer } of await engine.sql<{ consumer: string }>('select consumer from fibric.event_consumer')) {
    const claimed = (await bus.claim({ tenantId: acme, consumer }))!
    for (let next = await claimed.poll(500); next!.length > 0; next = await claimed.poll(500)) {
      await claimed.advance(next!.at(-1)!)
    }
    await claimed.release()
  }
  await bus.close()
}

const listed = async () => (await listEvents(engine, { tenant: 'acme' }, null, 100)).map((one) => one.envelope.event_id)

test('weeks get their partitions ahead, each under the same wall, and made twice they are made once', async () => {
  const now = day('2026-01-07')()
  await Promise.all([maintainLog(engine.database, logSettings, now), maintainLog(engine.database, logSettings, now)])
  expect(await weeks()).toEqual(['event_20260105', 'event_20260112'])
  const walls = await engine.sql<{ forced: boolean; policies: number }>(
    `select c.relforcerowsecurity as forced, (select count(*) from pg_policy p where p.polrelid = c.oid) as policies
       from pg_class c where c.relname like 'event_2026%' and c.relkind = 'r'`,
  )
  expect(walls).toEqual(walls.map(() => ({ forced: true, policies: 0 })))
})

test('old weeks go whole, but never one that a cursor or a replay still has before it', async () => {
  const first = await append('2026-01-07')
  const second = await append('2026-01-14')
  const rest = await append('2026-02-11')
  const bus = openEventBus(engine)
  const claimed = (await bus.claim({ tenantId: acme, consumer: 'operator:late', from: 0 }))!
  const deliveries = (await claimed.poll(10))!
  const maintain = () => maintainLog(engine.database, keep, day('2026-02-12')())
  await maintain()
  expect(await listed()).toEqual([rest, second, first])
  await claimed.advance(deliveries[0]!)
  await bus.pause(acme, 'operator:late')
  await maintain()
  expect(await listed()).toEqual([rest, second])
  await bus.resume(acme, 'operator:late')
  const again = (await bus.claim({ tenantId: acme, consumer: 'operator:late' }))!
  await again.advance(deliveries[2]!)
  const [replay] = await replayEvents(engine, { ...request, since: null, dryRun: false })
  expect(replay!.count).toBe(2)
  await maintain()
  expect(await listed()).toEqual([rest, second])
  // What is in the default partition stays: only whole weeks go.
  for (let delivered = (await again.poll(10))!; delivered.length > 0; delivered = (await again.poll(10))!) {
    await again.advance(delivered.at(-1)!)
  }
  await maintain()
  expect(await listed()).toEqual([rest])
  const next = await append('2026-02-12')
  expect((await again.poll(10))!.map((delivery) => delivery.event.event_id)).toEqual([next])
  await again.release()
  await bus.close()
})

const request = {
  tenant: 'acme',
  consumers: ['operator:late'],
  since: null,
  until: null,
  types: [] as string[],
  dryRun: true,
}

test('a replay says first what it would deliver, by time and by type, and leaves an entry in the ledger', async () => {
  await append('2026-03-01', 'order.paid')
  await append('2026-03-02', 'order.created')
  await append('2026-03-03', 'order.paid')
  const [dry] = await replayEvents(engine, {
    ...request,
    since: '2026-03-01T00:00:00Z',
    until: '2026-03-03T00:00:00Z',
    types: ['*.paid'],
  })
  expect(dry).toMatchObject({ id: null, count: 1, sample: [{ event_type: 'order.paid' }] })
  const entries = () =>
    engine.sql<{ n: number }>(`select count(*) as n from fibric.ledger_entry where kind = 'control.events.replay'`)
  const [{ n: before } = { n: 0 }] = await entries()
  const [real] = await replayEvents(engine, { ...request, types: ['*.paid'], dryRun: false })
  expect(real).toMatchObject({ id: expect.stringMatching(/^rp_/), count: 2 })
  expect((await entries())[0]!.n).toBe(before + 1)
  await expect(replayEvents(engine, { ...request, consumers: ['nobody'] })).rejects.toMatchObject({ code: 'NOT_FOUND' })
})

test('the log is followed from a position, and the following ends with its signal', async () => {
  const domains = await visibleDomains(engine, 'acme')
  const stopping = new AbortController()
  const seen: number[] = []
  for await (const one of followEvents(engine, domains, 0, stopping.signal)) {
    seen.push(one.position!)
    if (seen.length === 3) void append('2026-03-04')
    if (seen.length === 6) stopping.abort()
  }
  expect(seen).toEqual([...seen].sort((a, b) => a - b))
  expect(seen).toHaveLength(6)
})

test('claims go with the events that could propose them again, and a replay from before is refused', async () => {
  const claim = (key: string, at: string, until: string | null) =>
    engine.sql(
      `insert into fibric.effect_claim (tenant_id, idempotency_key, action_id, args_digest, authored, claimed_at, binds_until)
       values ($1, $2, $2, '', false, $3, $4)`,
      [acme, key, at, until],
    )
  await claim('old', '2026-01-10T00:00:00Z', null)
  await claim('old and binding', '2026-01-10T00:00:00Z', '2100-01-01T00:00:00Z')
  await claim('young', '2026-03-25T00:00:00Z', null)
  const keys = async () =>
    (await engine.sql<{ key: string }>('select idempotency_key as key from fibric.effect_claim order by 1')).map(
      ({ key }) => key,
    )
  // Nothing that goes: every claim stays.
  await maintainLog(engine.database, keep, day('2026-02-13')())
  expect(await keys()).toEqual(['old', 'old and binding', 'young'])
  await maintainLog(engine.database, logSettings, day('2026-03-09')())
  await append('2026-03-10')
  await passAll()
  await maintainLog(engine.database, keep, day('2026-05-01')())
  expect(await keys()).toEqual(['old and binding', 'young'])
  await append('2026-02-01')
  await expect(replayEvents(engine, { ...request, since: '2026-01-31T00:00:00Z' })).rejects.toMatchObject({
    code: 'REPLAY_BEYOND_CLAIMS',
  })
})

test('what runs read, asked and were answered goes with their events; doubts stay', async () => {
  const [old, young] = ['2026-01-08T00:00:00Z', '2026-05-20T00:00:00Z'] as const
  const domain = { tenant_id: acme, reseller_id: null }
  const write = (purpose: Evidence['purpose'], text: string, at: string) =>
    engine.database.asWorker([acme], (tx) =>
      writeEvidence(tx, domain, at, { digest: digestBytes(text), purpose, bytes: Buffer.from(text) }),
    )
  await write('prompt', 'old', old)
  await write('output', 'old, and came up again', old)
  await write('output', 'old, and came up again', young)
  await write('witness', 'young', young)
  const once = (key: string, ended: string | null) =>
    engine.sql('insert into fibric.once (tenant_id, key, began_at, ended_at, result) values ($1, $2, $3, $4, $5)', [
      acme,
      key,
      old,
      ended,
      ended === null ? null : '{"value": 1}',
    ])
  await once('ended', old)
  await once('in doubt', null)
  await append('2026-05-04')
  await passAll()
  await maintainLog(engine.database, keep, day('2026-06-01')())
  const left = await engine.sql<{ text: string }>(
    `select convert_from(bytes, 'UTF8') as text from fibric.evidence order by 1`,
  )
  expect(left.map(({ text }) => text)).toEqual(['old, and came up again', 'young'])
  expect(await engine.sql('select key from fibric.once')).toEqual([{ key: 'in doubt' }])
})

test('FIBRIC_EVENT_RETENTION is a duration of a day or more', () => {
  expect(settleEventLog({}).retentionMs).toBeNull()
  expect(settleEventLog({ FIBRIC_EVENT_RETENTION: '90d' }).retentionMs).toBe(90 * 86_400_000)
  for (const text of ['1h', 'soon']) {
    expect(() => settleEventLog({ FIBRIC_EVENT_RETENTION: text })).toThrow(expect.objectContaining({ code: 'USAGE' }))
  }
})
