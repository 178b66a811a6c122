import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type ModelWorld, startModelWorld } from '../loop/model-world.ts'
import { answers } from '../support/provider.ts'
import type { ModelOrders } from './model-child.ts'
import { temporaryFolder } from './world.ts'

const { folder, remove } = temporaryFolder()
const rootKeyText = Buffer.alloc(32, 'fibric test root key').toString('hex')
const timeout = '500ms'

let w: ModelWorld
/** How often the model was asked, by the thing it was asked about. */
const asked = new Map<string, number>()

beforeAll(async () => {
  process.env.FIBRIC_MODEL_TIMEOUT = timeout
  w = await startModelWorld()
  w.engine.write({
    'tenants/_platform/models/us.yaml': `apiVersion: fibric.io/v1
kind: Model
metadata: {name: us}
spec: {provider: openai, modelId: m, baseUrl: "http://127.0.0.1:${w.provider.port}/v1", hosting: {country: US}, price: {inputPerMTok: 1, outputPerMTok: 1, currency: USD}}
`,
    'tenants/_platform/policies/models.yaml':
      'apiVersion: fibric.io/v1\nkind: ModelPolicy\nmetadata: {name: models}\nspec: {aliases: {reasoning: us}, budget: {max: 1000, currency: USD, per: 1d}}\n',
  })
  await w.engine.apply()
  w.provider.on('/v1/chat/completions', (request, response, socket) => {
    const { messages } = JSON.parse(request.body) as { messages: { content: string }[] }
    const { id } = (JSON.parse(messages[1]!.content) as { event: { payload: { id: string } } }).event.payload
    asked.set(id, (asked.get(id) ?? 0) + 1)
    // The model changes its mind each time: two answers that count would be two plans.
    const content = JSON.stringify({ actions: [{ capability: 'thing.keyed', args: { id: `${id}-${asked.get(id)}` } }] })
    return answers(200, { choices: [{ message: { content } }], usage: { prompt_tokens: 1, completion_tokens: 1 } })(
      request,
      response,
      socket,
    )
  })
  // Children keep real time.
  Object.defineProperty(w.engine.time, 'now', { get: () => Date.now() })
})
afterAll(async () => {
  await w.close()
  remove()
})

async function child(id: string, kill: number): Promise<{ signal: string | null; reached: number; stderr: string }> {
  const orders: ModelOrders = { config: { ...w.engine.config, rootKeyText }, id, kill }
  const running = spawn(process.execPath, [join(import.meta.dirname, 'model-child.ts'), JSON.stringify(orders)], {
    env: { PATH: process.env.PATH, NODE_COMPILE_CACHE: folder, FIBRIC_MODEL_TIMEOUT: timeout },
  })
  let stdout = ''
  let stderr = ''
  running.stdout.on('data', (chunk) => {
    stdout += chunk
  })
  running.stderr.on('data', (chunk) => {
    stderr += chunk
  })
  const signal = await new Promise<string | null>((resolve) => running.on('close', (_code, name) => resolve(name)))
  return { signal, reached: Number.parseInt(stdout, 10), stderr }
}

test('killed at any point of a question, and delivered again: one answer counts, and every call is counted', async () => {
  const dry = await child('dry', 0)
  expect(dry.stderr).toBe('')
  expect(dry.reached).toBeGreaterThan(10)
  const faults: string[] = []
  for (let kill = 1; kill <= dry.reached; kill++) {
    const id = `k${kill}`
    const ended = await child(id, kill)
    if (ended.signal !== 'SIGKILL') faults.push(`${id}: ended by itself: ${ended.stderr}`)
    const before = asked.get(id) ?? 0
    const calls = () => w.calls().then((all) => all.filter(({ question }) => question.includes(` ev_${id} `)))
    const keptBefore = (await calls()).some(({ state }) => state === 'answered')
    await w.bring({ id }, `ev_${id}`)
    const made = await calls()
    const answered = made.filter(({ state }) => state === 'answered')
    const [plan] = await w.engine.sql<{ actions: number }>(
      `select count(*)::integer as actions from fibric.action a where a.entity_key like $1`,
      [`thing:${id}-%`],
    )
    const times = asked.get(id) ?? 0
    if (before > 1 || times > 2) faults.push(`${id}: asked ${before} times and then ${times - before}`)
    if (keptBefore && times !== before) faults.push(`${id}: asked again although the answer was kept`)
    if (answered.length !== 1) faults.push(`${id}: ${answered.length} answers`)
    if (made.length < times) faults.push(`${id}: asked ${times} times, and ${made.length} calls are counted`)
    if (made.some(({ state, reserved }) => state !== 'answered' && reserved === null))
      faults.push(`${id}: a lost call costs nothing`)
    if (plan!.actions !== 1) faults.push(`${id}: ${plan!.actions} actions`)
  }
  process.stdout.write(`models: ${dry.reached} points\n`)
  expect(faults).toEqual([])
})
