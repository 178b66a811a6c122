import { afterAll, beforeAll, expect, test } from 'vitest'
import { deathsMax } from '../../controller/loop/deliveries.ts'
import { listDeadLetters, redriveDeadLetter } from '../../controller/operations/dead-letters.ts'
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
  capabilities: [thing.read, thing.keyed]
  sense: [{as: thing, capability: thing.read, args: {id: "\${event.payload.id}"}}]
  reason: {rules: [{when: "thing.ok", propose: [{capability: thing.keyed, args: {id: "\${event.payload.id}"}}]}]}
`

const { folder, remove } = temporaryFolder()
let w: World
let bus: EventBus
let controller: Controller

beforeAll(async () => {
  w = await startWorld({ extra: { 'tenants/acme/operators/keeper.yaml': operator } })
  Object.defineProperty(w.engine.time, 'now', { get: () => Date.now() })
  bus = openEventBus(w.engine)
})
afterAll(async () => {
  controller.process.kill('SIGKILL')
  await controller.ended
  await bus.close()
  await w.close()
  remove()
})

const ids = Array.from({ length: 120 }, (_, n) => `n${n}`)
/** Further back in what is brought at once than a process notes after its start. */
const poison = 'n100'

test('an event that kills every process which reads its thing is found, and nothing else is lost or done twice', async () => {
  const done = new Map<string, number>()
  const keys = new Set<string>()
  let kills = true
  w.provider.on('*', async (request, response, socket) => {
    const id = request.path.split('/').at(-1)!
    // A key it knows is a re-send of what was under way when a process died: it is answered, and nothing is done again.
    const key = request.headers['idempotency-key']
    if (request.method !== 'GET' && !keys.has(key!)) done.set(id, (done.get(id) ?? 0) + 1)
    if (key !== undefined) keys.add(key)
    if (request.method === 'GET' && id === poison && kills) controller.process.kill('SIGKILL')
    else await answers(200, { ok: true })(request, response, socket)
  })
  const { tenant_id } = await w.domain()
  const letters = () => listDeadLetters(w.engine, { tenant: 'acme', all: false }, null, 10)
  let deaths = 0
  controller = startController(w.engine.config, folder)
  await untilFollowed(w.engine)
  const events = await bus.publish(
    tenant_id,
    ids.map((id) => ({ source: 'shop', eventType: 'thing.seen', payload: { id }, origin: 'api' as const })),
  )
  const isDead = () => controller.process.signalCode !== null
  for (; ; deaths++) {
    await until(async () => isDead() || (await letters()).length > 0)
    if (!isDead()) break
    controller = startController(w.engine.config, folder)
    // Its heir need not wait for what the dead process holds.
    await w.engine.sql(`update fibric.event_consumer set lease_until = 'epoch'`)
  }
  // Once beside others, perhaps once before anybody noted it, and alone.
  expect([deathsMax + 1, deathsMax + 2]).toContain(deaths)
  const [letter, ...others] = await letters()
  expect([letter!.event_id, letter!.message, others]).toEqual([
    events[ids.indexOf(poison)],
    `died ${deathsMax} times: its process died`,
    [],
  ])
  await applied(ids.length - 1)
  kills = false
  await redriveDeadLetter(w.engine, letter!.letter_id)
  await applied(ids.length)
  expect(new Map([...done].toSorted())).toEqual(new Map(ids.toSorted().map((id) => [id, 1])))
  expect(await ledgerFaults(w.engine)).toEqual([])
})

async function applied(count: number): Promise<void> {
  await until(async () => (await w.receipts()).filter(({ outcome }) => outcome === 'applied').length === count)
}

/** As long as the test may take. */
async function until(good: () => Promise<boolean>): Promise<void> {
  while (!(await good())) await new Promise((resolve) => setTimeout(resolve, 100))
}
