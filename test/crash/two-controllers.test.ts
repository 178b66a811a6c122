import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { executorSettings } from '../../controller/executor/effects/executor.ts'
import { openEventBus } from '../../controller/operations/ingest.ts'
import type { EventBus } from '../../controller/seams/event-bus.ts'
import { startWorld, type World } from '../executor/effects/world.ts'
import { answers } from '../support/provider.ts'
import { type Controller, ledgerFaults, startController, untilFollowed } from './controllers.ts'
import { temporaryFolder } from './world.ts'

const operator = `apiVersion: fibric.io/v1
kind: Operator
metadata: {name: keeper}
spec:
  trigger: {on: [thing.seen]}
  capabilities: [thing.keyed]
  reason: {rules: [{when: "true", propose: [{capability: thing.keyed, args: {id: "\${event.payload.id}"}}]}]}
`

const { folder, remove } = temporaryFolder()
const controllers: Controller[] = []
let w: World
let bus: EventBus

beforeAll(async () => {
  w = await startWorld({ extra: { 'tenants/acme/operators/keeper.yaml': operator } })
  bus = openEventBus(w.engine)
  Object.defineProperty(w.engine.time, 'now', { get: () => Date.now() })
})
afterEach(async () => {
  for (const { process } of controllers) process.kill('SIGKILL')
  await Promise.all(controllers.splice(0).map(({ ended }) => ended))
  w.provider.forget()
})
afterAll(async () => {
  await bus.close()
  await w.close()
  remove()
})

function start(more: Parameters<typeof startController>[2] = {}): Controller {
  const controller = startController(w.engine.config, folder, more)
  controllers.push(controller)
  return controller
}

async function until(good: () => boolean | Promise<boolean>, what: string): Promise<void> {
  for (let tries = 0; !(await good()); tries++) {
    if (tries > 2400) throw new Error(`never: ${what}`)
    await sleep(50)
  }
}

const stateOf = async (id: string): Promise<string> => (await w.action(id as never)).state

async function publish(id: string): Promise<void> {
  const { tenant_id } = await w.domain()
  await bus.publish(tenant_id, [{ source: 'shop', eventType: 'thing.seen', payload: { id }, origin: 'api' }])
}

const asleepMs = 60_000

/** With the leases of a deployment: the other waits for them to run out, and has taken over before the sleeper wakes. */
test('a controller that is paused for a minute while its requests are under way changes nothing when it wakes', async () => {
  const done = new Map<string, number>()
  const keys = new Set<string>()
  const held: (() => void)[] = []
  let holds = false
  w.provider.on('*', async (request, response, socket) => {
    const key = `${request.path} ${request.headers['idempotency-key']}`
    if (request.path.endsWith('blind') || !keys.has(key)) done.set(request.path, (done.get(request.path) ?? 0) + 1)
    keys.add(key)
    // The work is done at once; who sleeps is not told.
    if (holds) await new Promise<void>((resolve) => held.push(resolve))
    await answers(200, { ok: true })(request, response, socket)
  })
  const applied = async () =>
    (await w.actions()).filter(({ state }) => state === 'applied').map(({ entity_key }) => entity_key)
  const leases = { leaseMarginMs: executorSettings.leaseMarginMs }
  const sleeper = start(leases)
  await untilFollowed(w.engine)
  await publish('before')
  await until(async () => (await applied()).includes('thing:before'), 'it follows the events')
  holds = true
  const [blind] = await w.propose([{ capability: 'thing.blind', args: { id: 'blind' } }])
  const [keyed] = await w.propose([{ capability: 'thing.keyed', args: { id: 'keyed' } }])
  await until(() => held.length === 2, 'both requests are under way')
  const fences = await Promise.all([blind!, keyed!].map(async (id) => (await w.action(id)).fence))
  sleeper.process.kill('SIGSTOP')
  const pausedAt = performance.now()
  holds = false
  await start(leases).ready
  await publish('meanwhile')
  await until(async () => (await stateOf(blind!)) === 'manual', 'the blind one goes to a person')
  await until(async () => (await stateOf(keyed!)) === 'applied', 'the keyed one is sent again with its key')
  await until(async () => (await applied()).includes('thing:meanwhile'), 'the other follows the events in its place')
  await sleep(asleepMs - (performance.now() - pausedAt))
  for (const release of held) release()
  sleeper.process.kill('SIGCONT')
  const late = async () => (await w.entries('action.observed_late')).map(({ details }) => details as { fence: number })
  await until(async () => (await late()).length === 2, 'what the sleeper saw is kept')
  await publish('after')
  await until(async () => (await applied()).includes('thing:after'), 'one of them follows the events')
  expect(new Set((await late()).map(({ fence }) => fence))).toEqual(new Set(fences))
  expect([await stateOf(blind!), await stateOf(keyed!)]).toEqual(['manual', 'applied'])
  const things = ['before', 'blind', 'keyed', 'meanwhile', 'after']
  expect(Object.fromEntries(done)).toEqual(Object.fromEntries(things.map((id) => [`/api/things/${id}`, 1])))
  expect(await applied()).toEqual(things.filter((id) => id !== 'blind').map((id) => `thing:${id}`))
  expect((await w.receipts()).map(({ outcome }) => outcome)).toEqual(['applied', 'applied', 'applied', 'applied'])
  expect(await w.engine.sql('select state, deaths from fibric.run')).toEqual([1, 2, 3].map(() => ran))
  expect(await ledgerFaults(w.engine)).toEqual([])
})

const ran = { state: 'recorded', deaths: 0 }

/** Leases here last the tool's two seconds and one more; a deployment's differ in nothing but the number. */
test('a controller that sleeps between its claim and the first byte sends nothing when it wakes', async () => {
  const sent: string[] = []
  w.provider.on('*', async (request, response, socket) => {
    sent.push(`${request.path} ${request.headers['idempotency-key']}`)
    await answers(200, { ok: true })(request, response, socket)
  })
  const sleeper = start({ sleepsAfterClaim: true })
  await sleeper.ready
  const [blind] = await w.propose([{ capability: 'thing.blind', args: { id: 'asleep-blind' } }])
  const [keyed] = await w.propose([{ capability: 'thing.keyed', args: { id: 'asleep-keyed' } }])
  await until(async () => [await stateOf(blind!), await stateOf(keyed!)].includes('intent'), 'it has claimed')
  const other = start()
  await other.ready
  await until(async () => {
    const states = [await stateOf(blind!), await stateOf(keyed!)]
    return ['manual', 'applied'].includes(states[0]!) && states[1] === 'applied'
  }, 'the other has taken over')
  const before = [...sent]
  const states = [await stateOf(blind!), await stateOf(keyed!)]
  sleeper.process.kill('SIGCONT')
  await sleep(3000)
  expect(sent).toEqual(before)
  expect([await stateOf(blind!), await stateOf(keyed!)]).toEqual(states)
  expect(sent.filter((line) => line.startsWith('/api/things/asleep-keyed'))).toHaveLength(1)
})
