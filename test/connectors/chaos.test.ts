import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { startWorld, type World } from '../executor/effects/world.ts'
import { answers, answersEndlessly, answersHalf, type Behaviour, staysSilent } from '../support/provider.ts'

// What a provider can do to a request that it has carried out, through the whole of the executor: how many effects there
// are in the end is what the provider counts.

let world: World
let effects = 0
let keys = new Set<string>()
/** How the first request is answered; those after it are answered well. */
let first: Behaviour | null = null
let isDone = true

const wasApplied: Behaviour = ({ method }, response) =>
  void response
    .writeHead(200, { 'content-type': 'application/json' })
    .end(JSON.stringify(method === 'GET' ? { ok: effects > 0 } : {}))

const provider: Behaviour = (request, response, socket) => {
  if (request.method === 'GET') return wasApplied(request, response, socket)
  const misbehave = first
  first = null
  const key = request.headers['idempotency-key'] ?? ''
  if ((misbehave === null || isDone) && !keys.has(key)) effects++
  if (misbehave === null || isDone) keys.add(key)
  return (misbehave ?? wasApplied)(request, response, socket)
}

beforeAll(async () => {
  world = await startWorld()
})
afterAll(() => world.close())
beforeEach(() => {
  world.provider.forget()
  world.provider.on('*', provider)
  effects = 0
  keys = new Set()
  isDone = true
})

async function run(capability: string, behaviour: Behaviour, id: string) {
  first = behaviour
  const [action] = await world.propose([{ capability, args: { id } }])
  await world.finish()
  const { state, cause, attempts } = await world.action(action!)
  return { state, cause, attempts }
}

const doubts = [
  { how: 'a 10 GB body', does: answersEndlessly(10 * 2 ** 30, false) },
  { how: 'a 10 GB body that it announces', does: answersEndlessly(10 * 2 ** 30, true) },
  { how: 'half a body', does: answersHalf },
  { how: '500', does: answers(500, {}) },
  { how: 'nothing, until the time is over', does: staysSilent },
]

describe.each(doubts)('a provider that did the work and answers with $how', ({ how, does }) => {
  test.each([
    { capability: 'thing.keyed', state: 'applied', attempts: 2 },
    { capability: 'thing.idempotent', state: 'applied', attempts: 2 },
    { capability: 'thing.ask', state: 'applied', attempts: 1 },
    { capability: 'thing.blind', state: 'manual', attempts: 1 },
  ])('leaves $capability $state, with one effect', async ({ capability, state, attempts }) => {
    const before = process.memoryUsage().rss
    expect(await run(capability, does, `${capability}-${doubts.findIndex((each) => each.how === how)}`)).toMatchObject({
      state,
      attempts,
    })
    expect(effects).toBe(1)
    // What is asked about is not sent again, nor what is blind.
    expect(world.writes()).toBe(capability === 'thing.keyed' || capability === 'thing.idempotent' ? 2 : 1)
    expect(process.memoryUsage().rss - before).toBeLessThan(300 * 2 ** 20)
  })
})

test.each(['thing.keyed', 'thing.idempotent', 'thing.blind', 'thing.ask'])(
  'a provider that answers 429 with Retry-After gets %s later, once',
  async (capability) => {
    isDone = false
    const found = await run(capability, answers(429, {}, { 'retry-after': '3' }), `${capability}-429`)
    expect(found).toMatchObject({ state: 'applied', attempts: 2 })
    expect(effects).toBe(1)
    expect(world.writes()).toBe(2)
  },
)

test('calls are counted by what they were for and what became of them', async () => {
  const counted: string[] = []
  world.connector.broker.observe(({ class: kind, outcome }) => counted.push(`${kind} ${outcome}`))
  await run('thing.keyed', answers(500, {}), 'counted')
  await run('thing.ask', answersHalf, 'counted-too')
  expect(counted).toEqual(['effect 5xx', 'effect 2xx', 'effect broken', 'read 2xx'])
})
