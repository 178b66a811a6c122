import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
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
  w = await startWorld({ extra: { 'tenants/acme/operators/keeper.yaml': keeper } })
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
    expect(w.provider.received.map(({ method, path }) => `${method} ${path}`)).toEqual([
      'GET /api/things/r1',
      'POST /api/things/r1',
    ])
  })
})
