import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { startWorld, type World } from '../executor/effects/world.ts'
import { answers } from '../support/provider.ts'
import { type Controller, ledgerFaults, startController } from './controllers.ts'
import { temporaryFolder } from './world.ts'

const { folder, remove } = temporaryFolder()
const controllers: Controller[] = []
let w: World

beforeAll(async () => {
  w = await startWorld()
  Object.defineProperty(w.engine.time, 'now', { get: () => Date.now() })
})
afterEach(async () => {
  for (const { process } of controllers) process.kill('SIGKILL')
  await Promise.all(controllers.splice(0).map(({ ended }) => ended))
  w.provider.forget()
})
afterAll(async () => {
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
    if (tries > 600) throw new Error(`never: ${what}`)
    await sleep(50)
  }
}

const stateOf = async (id: string): Promise<string> => (await w.action(id as never)).state

/** Leases here last the tool's two seconds and one more; a deployment's differ in nothing but the number. */
test('a controller that sleeps past its lease while its requests are under way changes nothing when it wakes', async () => {
  const done = new Map<string, number>()
  const keys = new Set<string>()
  const held: (() => void)[] = []
  let holds = true
  w.provider.on('*', async (request, response, socket) => {
    const key = `${request.path} ${request.headers['idempotency-key']}`
    if (request.path.endsWith('blind') || !keys.has(key)) done.set(request.path, (done.get(request.path) ?? 0) + 1)
    keys.add(key)
    // The work is done at once; who sleeps is not told.
    if (holds) await new Promise<void>((resolve) => held.push(resolve))
    await answers(200, { ok: true })(request, response, socket)
  })
  const [blind] = await w.propose([{ capability: 'thing.blind', args: { id: 'blind' } }])
  const [keyed] = await w.propose([{ capability: 'thing.keyed', args: { id: 'keyed' } }])
  const sleeper = start()
  await until(() => held.length === 2, 'both requests are under way')
  const fences = new Map([blind!, keyed!].map((id) => [id, w.action(id)]))
  sleeper.process.kill('SIGSTOP')
  holds = false
  await start().ready
  await until(async () => (await stateOf(blind!)) === 'manual', 'the blind one goes to a person')
  await until(async () => (await stateOf(keyed!)) === 'applied', 'the keyed one is sent again with its key')
  for (const release of held) release()
  sleeper.process.kill('SIGCONT')
  const late = async () => (await w.entries('action.observed_late')).map(({ details }) => details as { fence: number })
  await until(async () => (await late()).length === 2, 'what the sleeper saw is kept')
  const old = await Promise.all([...fences.values()])
  expect(new Set((await late()).map(({ fence }) => fence))).toEqual(new Set(old.map(({ fence }) => fence)))
  expect([await stateOf(blind!), await stateOf(keyed!)]).toEqual(['manual', 'applied'])
  expect(Object.fromEntries(done)).toEqual({ '/api/things/blind': 1, '/api/things/keyed': 1 })
  expect((await w.receipts()).map(({ action_id }) => action_id)).toEqual([keyed])
  expect(await ledgerFaults(w.engine)).toEqual([])
})

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
