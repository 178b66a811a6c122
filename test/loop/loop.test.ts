import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { lastTick } from '../../controller/domain/tick-times.ts'
import type { Loop } from '../../controller/loop/start.ts'
import { startLoop } from '../../controller/loop/start.ts'
import { openEventBus } from '../../controller/operations/ingest.ts'
import type { EventBus } from '../../controller/seams/event-bus.ts'
import { quickSettings, startWorld, type World } from '../executor/effects/world.ts'
import { answers } from '../support/provider.ts'

const operator = (name: string, spec: string): string =>
  `apiVersion: fibric.io/v1\nkind: Operator\nmetadata: {name: ${name}}\nspec:\n${spec}`

const keeper = operator(
  'keeper',
  `
  trigger: {on: [thing.seen]}
  capabilities: [thing.read, thing.keyed, thing.idempotent]
  sense: [{as: thing, capability: thing.read, args: {id: "\${event.payload.id}"}}]
  reason:
    rules:
      - when: "thing.state == 'risky'"
        propose: [{capability: thing.keyed, args: {id: "\${event.payload.id}", note: risky}}]
`,
)

let w: World
let bus: EventBus
let loop: Loop
const stopping = new AbortController()

beforeAll(async () => {
  w = await startWorld({
    extra: {
      'tenants/acme/operators/keeper.yaml': keeper,
      'tenants/acme/operators/others.yaml': [
        operator(
          'every',
          "\n  trigger: {on: ['**']}\n  capabilities: [thing.keyed]\n  reason: {rules: [{when: 'false', propose: [{capability: thing.keyed}]}]}\n",
        ),
        operator(
          'broken',
          "\n  trigger: {on: ['thing.*']}\n  capabilities: [thing.keyed]\n  reason: {rules: [{when: 'event.payload.absent > 1', propose: [{capability: thing.keyed}]}]}\n",
        ),
      ].join('---\n'),
    },
  })
  bus = openEventBus(w.engine)
  loop = startLoop(w.engine, {
    connector: w.connector,
    bus,
    signal: stopping.signal,
    settings: quickSettings,
    onFailure: (error, doing) => w.failures.push(`${doing}: ${(error as Error).stack}`),
  })
  await loop.refresh()
  await sleep(300)
})
afterAll(async () => {
  stopping.abort()
  await loop.ended
  await bus.close()
  await w.close()
})

async function until<T>(read: () => Promise<T>, good: (value: T) => boolean): Promise<T> {
  for (let tries = 0; ; tries++) {
    const value = await read()
    if (good(value) || tries > 600) return value
    await sleep(50)
  }
}

async function happens(payload: object, key?: string): Promise<string> {
  const { tenant_id } = await w.domain()
  const event = {
    source: 'shop',
    eventType: 'thing.seen',
    payload: payload as never,
    origin: 'api' as const,
    key: key ?? null,
  }
  const [id] = await bus.publish(tenant_id, [event])
  return id!
}

const { pauseOperator, resumeOperator, runOperatorNow } = await import('../../controller/operations/operators.ts')
const { replayEvents } = await import('../../controller/operations/replay.ts')
const { trace } = await import('../../controller/operations/trace.ts')
const { whyWaiting } = await import('../../controller/operations/waiting.ts')

const runsOf = async (event: string) =>
  w.engine.sql<{ operator: string; state: string; cause: string | null; deaths: number }>(
    'select operator, state, cause, deaths from fibric.run where event_id = $1 order by operator',
    [event],
  )
const settled = (event: string, count = 1) =>
  until(
    () => runsOf(event),
    (runs) => runs.length >= count && runs.every(({ state }) => state !== 'begun'),
  )

describe('from an event to a receipt', () => {
  test('what a rule proposes of what was sensed is carried out and receipted', async () => {
    w.provider.on('*', answers(200, { ok: true, state: 'risky' }))
    const event = await happens({ id: 'r1' })
    const receipts = await until(w.receipts, (list) => list.length > 0)
    expect(w.failures).toEqual([])
    expect(receipts).toMatchObject([
      {
        outcome: 'applied',
        capability: 'thing.keyed',
        event_id: event,
        proposer: { kind: 'operator', name: 'keeper' },
      },
    ])
    const requests = w.provider.received.map(({ method, path }) => `${method} ${path}`)
    expect(requests).toEqual(['GET /api/things/r1', 'POST /api/things/r1'])
  })

  test('the whole story is told from any of its ids', async () => {
    w.provider.on('*', answers(200, { ok: true, state: 'risky' }))
    const event = await happens({ id: 't1' })
    const receipt = (await until(w.receipts, (list) => list.some((each) => each.event_id === event))).find(
      (each) => each.event_id === event,
    )!
    await settled(event, 3)
    for (const id of [event, receipt.receipt_id, receipt.action_id, receipt.plan_id, receipt.correlation_id]) {
      const story = await trace(w.engine, String(id))
      expect(story.tenant).toBe('acme')
      expect(story.events.map(({ envelope }) => envelope.event_id)).toEqual([event])
      expect(story.runs.map((run) => run.operator)).toContain('acme/Operator/keeper')
      expect(story.actions.map(({ row }) => row.action_id)).toEqual([receipt.action_id])
      expect(story.entries.map((entry) => entry.id)).toContain(receipt.receipt_id)
    }
  })

  test('every matching operator gets the event, and a condition that does not hold proposes nothing', async () => {
    w.provider.on('*', answers(200, { ok: true, state: 'fine' }))
    const event = await happens({ id: 'q1' })
    await until(
      () => runsOf(event),
      (runs) => runs.length >= 3,
    )
    expect(await settled(event, 3)).toMatchObject([
      { operator: 'acme/Operator/broken', state: 'rejected' },
      { operator: 'acme/Operator/every', state: 'recorded' },
      { operator: 'acme/Operator/keeper', state: 'recorded' },
    ])
  })

  test('an expression that fails ends the run rejected with an entry, never a silent false', async () => {
    w.provider.on('*', answers(200, { ok: true, state: 'fine' }))
    const event = await happens({ id: 'x1' })
    await settled(event, 3)
    const entries = await until(
      () => w.entries('run.rejected'),
      (list) => list.some((entry) => (entry.details as { event_id?: string }).event_id === event),
    )
    expect(entries.at(-1)).toMatchObject({ person: 'operator:broken', details: { operator: 'acme/Operator/broken' } })
  })

  test("the platform's own events reach only who wrote them out", async () => {
    w.provider.on('*', answers(200, { ok: true, state: 'fine' }))
    const { tenant_id } = await w.domain()
    const [id] = await bus.publish(tenant_id, [
      { source: 'fibric', eventType: 'fibric.thing.seen', payload: { id: 'p1' }, origin: 'internal' },
    ])
    const last = await happens({ id: 'p2' })
    await settled(last, 3)
    expect(await runsOf(id!)).toEqual([])
  })

  test('a loop that feeds itself ends', async () => {
    const { tenant_id } = await w.domain()
    const [id] = await bus.publish(tenant_id, [
      { source: 'shop', eventType: 'thing.seen', payload: { id: 'loop' }, origin: 'api', depth: 8 },
    ])
    const runs = await settled(id!, 3)
    expect(runs.every(({ state, cause }) => state === 'rejected' && cause!.startsWith('LOOP'))).toBe(true)
  })

  test('a paused operator loses nothing: its events wait for it', async () => {
    w.provider.on('*', answers(200, { ok: true, state: 'risky' }))
    await pauseOperator(w.engine, 'keeper', 'acme', 'incident')
    await loop.refresh()
    const event = await happens({ id: 'w1' })
    await settled(event, 2)
    expect((await runsOf(event)).map(({ operator }) => operator)).not.toContain('acme/Operator/keeper')
    expect(await whyWaiting(w.engine, 'acme/Operator/keeper')).toEqual([
      'is paused by local:test: incident; its events wait: fibric operators resume keeper --tenant acme',
    ])
    await resumeOperator(w.engine, 'keeper', 'acme')
    await loop.refresh()
    expect(await settled(event, 3)).toMatchObject([{}, {}, { operator: 'acme/Operator/keeper', state: 'recorded' }])
    expect(await w.entries('control.operator.pause')).toHaveLength(1)
    // What it proposed just now may be on its way still.
    const left = await until(
      () => whyWaiting(w.engine, 'acme/Operator/keeper'),
      (reasons) => reasons.length === 0,
    )
    expect(left).toEqual([])
  })

  test('an operator whose source is away says so, and goes on where it was', async () => {
    w.provider.on('*', answers(503, {}))
    const event = await happens({ id: 'away' })
    const [reason] = await until(
      () => whyWaiting(w.engine, 'acme/Operator/keeper'),
      (reasons) => reasons.length > 0,
    )
    expect(reason).toMatch(/^its run run_\w+ is tried again, .*`thing.read` could not be read: HTTP 503$/)
    w.provider.on('*', answers(200, { ok: true, state: 'risky' }))
    expect(await settled(event, 3)).toMatchObject([{}, {}, { state: 'recorded', deaths: 0 }])
    w.failures.length = 0
  })

  test.each(['keeper', 'operator:keeper', 'acme/Operator/keeper'])(
    'a replay finds an operator as `%s`',
    async (name) => {
      const request = { tenant: 'acme', since: null, until: null, types: [], dryRun: true }
      const [{ consumer, count } = { consumer: '', count: 0 }] = await replayEvents(w.engine, {
        ...request,
        consumers: [name],
      })
      expect(consumer).toMatch(/^operator:ob_/)
      expect(count).toBeGreaterThan(0)
      const unknown = replayEvents(w.engine, { ...request, consumers: ['kepeer'] })
      await expect(unknown).rejects.toMatchObject({ hint: expect.stringContaining('operator:keeper') })
    },
  )

  test('a replay to nobody in particular goes to every operator that its events trigger, paused ones too', async () => {
    const { tenant_id } = await w.domain()
    const other = { source: 'shop', eventType: 'other.seen', payload: {}, origin: 'api' as const, key: null }
    const [event] = await bus.publish(tenant_id, [other])
    await settled(event!)
    const request = { tenant: 'acme', consumers: [], since: null, until: null }
    const dry = { ...request, types: ['thing.*'], dryRun: true }
    await pauseOperator(w.engine, 'keeper', 'acme', 'looked at')
    const shown = (await replayEvents(w.engine, dry)).map(({ id, operator, status }) => [id, operator, status])
    expect(shown.toSorted()).toEqual([
      [null, 'acme/Operator/broken', 'active'],
      [null, 'acme/Operator/every', 'active'],
      [null, 'acme/Operator/keeper', expect.stringContaining('looked at')],
    ])
    await resumeOperator(w.engine, 'keeper', 'acme')
    const begun = await replayEvents(w.engine, { ...request, types: ['other.*'], dryRun: false })
    expect(begun).toMatchObject([{ id: expect.stringMatching(/^rp_/), operator: 'acme/Operator/every', count: 1 }])
    expect(await settled(event!, 2)).toMatchObject([
      { operator: 'acme/Operator/every', state: 'recorded' },
      { operator: 'acme/Operator/every', state: 'recorded' },
    ])
    expect(await replayEvents(w.engine, { ...request, types: ['never.*'], dryRun: true })).toEqual([])
    // Who is named is told of nothing, too: what an operator's trigger does not ask for is nothing to it.
    const named = await replayEvents(w.engine, {
      ...request,
      consumers: ['keeper', 'keeper'],
      types: ['other.*'],
      dryRun: false,
    })
    expect(named).toMatchObject([{ id: null, operator: 'acme/Operator/keeper', count: 0 }])
  })

  test('a run that dies five times goes to the dead letters, and the stream goes on', async () => {
    w.provider.on('*', answers(200, { ok: true, state: 'risky' }))
    w.provider.on('/api/things/dies', answers(404, {}))
    const event = await happens({ id: 'dies' })
    const dead = await until(
      () => runsOf(event),
      (runs) => runs.some(({ state }) => state === 'dead'),
    )
    expect(dead.find(({ operator }) => operator.endsWith('keeper'))).toMatchObject({ state: 'dead' })
    const [letter] = await w.engine.sql<{ reason: string; event_id: string }>(
      'select reason, event_id from fibric.dead_letter',
    )
    expect(letter).toEqual({ reason: 'run_died', event_id: event })
    const next = await happens({ id: 'lives' })
    expect(await settled(next, 3)).toMatchObject([{}, {}, { state: 'recorded' }])
    w.failures.length = 0
  })

  test('the same delivery brought again is the same run', async () => {
    w.provider.on('*', answers(200, { ok: true, state: 'risky' }))
    const event = await happens({ id: 'again' })
    await settled(event, 3)
    await w.engine.sql('update fibric.event_consumer set position = position - 1')
    const last = await happens({ id: 'after' })
    await settled(last, 3)
    expect(await runsOf(event)).toHaveLength(3)
  })

  test('a person may have an operator run', async () => {
    w.provider.on('*', answers(200, { ok: true, state: 'risky' }))
    const asked = () => w.provider.received.filter(({ method, path }) => method === 'POST' && /asked/.test(path))
    const run = await runOperatorNow(w.engine, 'keeper', 'acme', { id: 'asked' })
    expect(run).toMatchObject({ outcome: 'recorded', actions: [{ capability: 'thing.keyed', state: 'applied' }] })
    expect(asked().map(({ path }) => path)).toEqual(['/api/things/asked'])
  })
})

describe('ticks', () => {
  test.each([
    {
      name: 'an interval ticks at its multiples',
      trigger: { every: '15m' },
      after: '09:01',
      upTo: '09:46',
      tick: '09:45',
    },
    {
      name: 'an interval has no tick in between',
      trigger: { every: '15m' },
      after: '09:01',
      upTo: '09:14',
      tick: null,
    },
    { name: 'missed ticks are one', trigger: { cron: '*/10 * * * *' }, after: '09:01', upTo: '09:46', tick: '09:40' },
    {
      name: 'a cron is read in its zone',
      trigger: { cron: '30 10 * * *', timeZone: 'Europe/Berlin' },
      after: '09:01',
      upTo: '09:46',
      tick: '09:30',
    },
  ])('$name', ({ trigger, after, upTo, tick }) => {
    const at = (time: string): Date => new Date(`2026-03-02T${time}:00Z`)
    const none = { on: [], every: null, cron: null, timeZone: null, ask: false, orderBy: null }
    expect(lastTick({ ...none, ...trigger }, at(after), at(upTo))).toEqual(tick === null ? null : at(tick))
  })
})
