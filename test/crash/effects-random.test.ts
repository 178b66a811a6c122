import { randomInt } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startLoop } from '../../controller/loop/start.ts'
import { listDeadLetters, redriveDeadLetter } from '../../controller/operations/dead-letters.ts'
import { openEventBus } from '../../controller/operations/ingest.ts'
import type { EventBus } from '../../controller/seams/event-bus.ts'
import { quickSettings, startWorld, type World } from '../executor/effects/world.ts'
import { type Controller, ledgerFaults, startController, untilFollowed } from './controllers.ts'
import { provideTruly } from './true-provider.ts'
import { temporaryFolder } from './world.ts'

// FIBRIC_KILLS asks for more or fewer.
const kills = Number(process.env.FIBRIC_KILLS ?? 200)
const eventsPerKill = 3

const operator = `apiVersion: fibric.io/v1
kind: Operator
metadata: {name: keeper}
spec:
  trigger: {on: [thing.seen]}
  capabilities: [thing.read, thing.keyed, thing.blind, thing.idempotent, thing.ask, thing.match]
  sense: [{as: thing, capability: thing.read, args: {id: "\${event.payload.id}"}}]
  reason:
    rules:
      - when: "true"
        propose:
          - {capability: thing.keyed, args: {id: "\${event.payload.id}-keyed"}}
          - {capability: thing.idempotent, args: {id: "\${event.payload.id}-idempotent"}}
          - {capability: thing.ask, args: {id: "\${event.payload.id}-ask"}}
          - {capability: thing.match, args: {id: "\${event.payload.id}-match"}}
          - {capability: thing.blind, args: {id: "\${event.payload.id}-blind"}}
`

const { folder, remove } = temporaryFolder()
let w: World
let bus: EventBus
const controllers = new Set<Controller>()

beforeAll(async () => {
  w = await startWorld({ extra: { 'tenants/acme/operators/keeper.yaml': operator } })
  // The processes keep real time, and so does this one.
  Object.defineProperty(w.engine.time, 'now', { get: () => Date.now() })
  bus = openEventBus(w.engine)
})
afterAll(async () => {
  for (const { process } of controllers) process.kill('SIGKILL')
  await bus.close()
  await w.close()
  remove()
})

/**
 * Two controllers carry out what an operator proposes of a stream of events, and one of them is killed again and again, a
 * random moment after it came up. The provider does the work and hangs up one time in ten.
 */
test(`killed ${kills} times at random under load: nothing acknowledged is lost, nothing is done twice`, async () => {
  const { effects, underWay } = provideTruly(w.provider, {
    lies: () => randomInt(10) === 0,
    delayMs: () => randomInt(20),
  })
  const { tenant_id } = await w.domain()
  const start = (): Controller => {
    const controller = startController(w.engine.config, folder)
    controllers.add(controller)
    return controller
  }
  const events: string[] = []
  const publish = async (): Promise<void> => {
    const ids = Array.from({ length: eventsPerKill }, (_, index) => `r${events.length + index}`)
    const batch = ids.map((id) => ({
      source: 'shop',
      eventType: 'thing.seen',
      payload: { id },
      origin: 'api' as const,
    }))
    events.push(...(await bus.publish(tenant_id, batch)))
  }
  const running = [start(), start()]
  await untilFollowed(w.engine)
  let atWork = 0
  for (let kill = 0; kill < kills; kill++) {
    await publish()
    const victim = running.shift()!
    await victim.ready
    // Half of them at any moment, half while the provider is at work: a process that just came up does little.
    if (kill % 2 === 0) await sleep(randomInt(150))
    else await someWork(underWay)
    if (underWay() > 0) atWork++
    victim.process.kill('SIGKILL')
    expect(await victim.ended).toBe('SIGKILL')
    controllers.delete(victim)
    running.push(start())
    // Whoever had the operator's place in the stream is dead, or is taken for dead: its fence has to hold.
    await w.engine.sql(`update fibric.event_consumer set lease_until = 'epoch'`)
  }
  for (const { process } of running) process.kill('SIGKILL')
  await Promise.all(running.map(({ ended }) => ended))
  const redriven = await finish(events)
  process.stdout.write(
    `random kills: ${kills}, of them ${atWork} with effects under way; ${events.length} events, ${effects.size} effects; ${redriven} dead letters redriven\n`,
  )
  // Were nothing under way when the process dies, this would prove nothing.
  expect(atWork).toBeGreaterThan(kills / 10)
  expect(await faultsOf(events, effects)).toEqual([])
  expect(await ledgerFaults(w.engine)).toEqual([])
})

/** Waits until something is being done at the provider, or for three seconds. */
async function someWork(underWay: () => number): Promise<void> {
  for (let tries = 0; tries < 600 && underWay() === 0; tries++) await sleep(5)
}

/**
 * A controller that nobody kills, until nothing moves any more. What five processes seem to have died of is a dead letter and
 * no loss: it is delivered again. Answers how many there were.
 */
async function finish(events: readonly string[]): Promise<number> {
  let redriven = 0
  const stopping = new AbortController()
  await w.engine.sql(`update fibric.event_consumer set lease_until = 'epoch'`)
  const loop = startLoop(w.engine, {
    connector: w.connector,
    bus,
    signal: stopping.signal,
    settings: { ...quickSettings, leaseMarginMs: 1000 },
    onFailure: (error, doing) => w.failures.push(`${doing}: ${(error as Error).stack}`),
  })
  for (let still = 0; still < 20; ) {
    await sleep(250)
    for (const { letter_id } of await listDeadLetters(w.engine, { tenant: 'acme', all: false }, null, 100)) {
      await redriveDeadLetter(w.engine, letter_id)
      redriven++
    }
    const [left] = await w.engine.sql<{ runs: number; moving: number }>(
      `select (select count(*) from fibric.run where state in ('recorded', 'rejected'))::integer as runs,
              (select count(*) from fibric.action a where effect is not null
                  and (state in ('intent', 'reconciling', 'waiting', 'unknown')
                       or exists (select from fibric.effect_queue q where q.action_id = a.action_id)))::integer as moving`,
    )
    still = left!.runs >= events.length && left!.moving === 0 ? still + 5 : 0
  }
  stopping.abort()
  await loop.ended
  return redriven
}

async function faultsOf(events: readonly string[], effects: ReadonlyMap<string, number>): Promise<string[]> {
  const faults: string[] = []
  const runs = await w.engine.sql<{ event_id: string; runs: number }>(
    `select event_id, count(*)::integer as runs from fibric.run where state = 'recorded' group by 1`,
  )
  const recorded = new Map(runs.map((row) => [row.event_id, row.runs]))
  for (const id of events) if (recorded.get(id) !== 1) faults.push(`${id}: ${recorded.get(id) ?? 0} runs`)
  const letters = await w.engine.sql<{ message: string }>(
    'select message from fibric.dead_letter where redriven_at is null',
  )
  faults.push(...letters.map(({ message }) => `a dead letter: ${message}`))
  const actions = await w.engine.sql<{ state: string; entity_key: string; plan_id: string; ordinal: number }>(
    `select state, entity_key, plan_id, ordinal from fibric.action where effect is not null`,
  )
  if (actions.length !== events.length * 5) faults.push(`${actions.length} actions of ${events.length * 5}`)
  const doubtful = new Set(actions.filter(({ state }) => state === 'manual').map(({ plan_id }) => plan_id))
  for (const { state, entity_key, plan_id } of actions) {
    const happened = effects.get(`/api/things/${entity_key.slice('thing:'.length)}`) ?? 0
    if (happened > 1) faults.push(`${entity_key}: happened ${happened} times`)
    if (state === 'applied' && happened !== 1) faults.push(`${entity_key}: applied, and happened ${happened} times`)
    if (state === 'failed' && happened !== 0) faults.push(`${entity_key}: failed, and happened`)
    const safe = ['applied', 'failed', 'manual', 'skipped'].includes(state) || doubtful.has(plan_id)
    if (!safe) faults.push(`${entity_key}: left ${state}`)
  }
  return faults
}
