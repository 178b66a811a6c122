import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { EgressBroker } from '../../controller/connectors/egress/broker.ts'
import { wireOver } from '../../controller/operations/model-way.ts'
import { bedrock } from '../../controller/seams/model-router/bedrock.ts'
import { openai } from '../../controller/seams/model-router/openai.ts'
import { scripted } from '../../controller/seams/model-router/scripted.ts'
import type { ModelTarget, ModelWire } from '../../controller/seams/model-router.ts'
import { withConnection } from '../../controller/store/pool.ts'
import { acme, makeDomains } from '../ingest/world.ts'
import { type TestDatabase, testDatabase } from '../support/database.ts'
import { answers, type Provider, startProvider } from '../support/provider.ts'
import { describeModelProvider, prompt } from './model-router.conformance.ts'

let world: TestDatabase
let server: Provider
let broker: EgressBroker
beforeAll(async () => {
  world = await testDatabase()
  await makeDomains(world.database, acme)
  server = await startProvider()
  broker = new EgressBroker(world.database)
})
afterAll(async () => {
  await server.close()
  await world.close()
})

const target = (more: Partial<ModelTarget>): ModelTarget => ({
  modelId: 'lab.model-1:0',
  region: 'us-east-1',
  baseUrl: server.url,
  script: null,
  credential: null,
  secret: null,
  ...more,
})

/** The real way out: the egress broker, to this server alone. */
const wire = (timeoutMs = 5000): ModelWire => ({
  async post(request) {
    // Each test meets a host that has not yet asked to be left alone.
    await withConnection(world.superuser, 'fibric test', (connection) =>
      connection.simple('delete from fibric.egress_gate'),
    )
    const allowed = { hosts: [server.host], allowPrivate: ['127.0.0.1/32'] }
    const deadlineMs = performance.now() + timeoutMs
    return wireOver(broker, acme, allowed, target({}), deadlineMs, new AbortController().signal).post(request)
  },
})

const awsCredential = new Map([
  ['access_key_id', 'AKIDEXAMPLE'],
  ['secret_access_key', 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY'],
])

describeModelProvider('bedrock', () => ({
  provider: bedrock,
  server,
  path: '/model/lab.model-1%3A0/converse',
  target: (more) => target({ credential: awsCredential, ...more }),
  wire,
  says: (text, tokens) =>
    answers(200, {
      metrics: { latencyMs: 5 },
      output: { message: { role: 'assistant', content: text === '' ? [] : [{ text }] } },
      stopReason: 'end_turn',
      ...(tokens === null
        ? {}
        : { usage: { inputTokens: tokens[0], outputTokens: tokens[1], totalTokens: tokens[0] + tokens[1] } }),
    }),
  refuses: (status, message, headers) =>
    answers(status, { message }, { 'x-amzn-errortype': 'LabException:http://internal.amazon.com/coral/', ...headers }),
}))

describeModelProvider('openai', () => ({
  provider: openai,
  server,
  path: '/v1/chat/completions',
  target: (more) =>
    target({ baseUrl: `${server.url}/v1`, credential: new Map([['value', 'sk-lab-0123456789']]), ...more }),
  wire,
  says: (text, tokens) =>
    answers(200, {
      id: 'chatcmpl-1',
      object: 'chat.completion',
      choices: [
        { index: 0, finish_reason: 'stop', message: { role: 'assistant', content: text === '' ? null : text } },
      ],
      ...(tokens === null
        ? {}
        : { usage: { prompt_tokens: tokens[0], completion_tokens: tokens[1], total_tokens: tokens[0] + tokens[1] } }),
    }),
  refuses: (status, message, headers) => answers(status, { error: { message, type: 'lab' } }, headers),
}))

describe('bedrock on the wire', () => {
  test('is signed for its service and region, and speaks Converse', async () => {
    server.forget()
    server.on(
      '*',
      answers(200, {
        output: { message: { role: 'assistant', content: [{ text: 'a' }, { text: 'b' }] } },
        stopReason: 'max_tokens',
      }),
    )
    const answer = await bedrock.ask(target({ credential: awsCredential }), prompt, wire())
    expect(answer).toMatchObject({ text: 'ab', stop: 'max_tokens' })
    const [request] = server.received
    expect(request!.method).toBe('POST')
    expect(request!.headers.authorization).toMatch(
      /^AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE\/\d{8}\/us-east-1\/bedrock\/aws4_request, SignedHeaders=[a-z0-9;-]*host[a-z0-9;-]*, Signature=[0-9a-f]{64}$/,
    )
    expect(request!.headers.host).toBe(server.host)
    expect(JSON.parse(request!.body)).toEqual({
      system: [{ text: 'You propose.' }],
      messages: prompt.messages.map(({ role, text }) => ({ role, content: [{ text }] })),
      inferenceConfig: { maxTokens: 77 },
    })
  })

  test('goes to the endpoint of its region, and to none without a region', async () => {
    expect(bedrock.endpoint(target({ baseUrl: null }))).toBe('https://bedrock-runtime.us-east-1.amazonaws.com')
    expect(bedrock.endpoint(target({ baseUrl: null, region: null }))).toBe(null)
    expect(await bedrock.ask(target({ region: null }), prompt, wire())).toMatchObject({ kind: 'failed' })
  })
})

describe('openai on the wire', () => {
  test('carries its key in a header, and none where there is none', async () => {
    server.forget()
    server.on('*', answers(200, { choices: [{ message: { content: 'x' } }] }))
    await openai.ask(target({ credential: new Map([['value', 'sk-lab-0123456789']]) }), prompt, wire())
    await openai.ask(target({}), prompt, wire())
    expect(server.received.map(({ headers }) => headers.authorization)).toEqual(['Bearer sk-lab-0123456789', undefined])
    expect(JSON.parse(server.received[0]!.body)).toEqual({
      model: 'lab.model-1:0',
      messages: [
        { role: 'system', content: 'You propose.' },
        ...prompt.messages.map(({ role, text }) => ({ role, content: text })),
      ],
      max_tokens: 77,
      stream: false,
    })
  })

  test('a key that an endpoint repeats does not reach a reason', async () => {
    server.forget()
    server.on('*', answers(401, { error: { message: 'no such key: sk-lab-0123456789' } }))
    const keyed = target({ credential: new Map([['value', 'sk-lab-0123456789']]) })
    const out = wireOver(
      broker,
      acme,
      { hosts: [server.host], allowPrivate: ['127.0.0.1/32'] },
      keyed,
      performance.now() + 5000,
      new AbortController().signal,
    )
    expect(await openai.ask(keyed, prompt, out)).toEqual({ kind: 'failed', reason: 'HTTP 401: no such key: [secret]' })
  })

  test('an address that no public host may have is refused before anything is sent', async () => {
    server.forget()
    const out = wireOver(
      broker,
      acme,
      { hosts: [server.host], allowPrivate: [] },
      target({}),
      performance.now() + 5000,
      new AbortController().signal,
    )
    expect(await openai.ask(target({}), prompt, out)).toMatchObject({ kind: 'not-done' })
    expect(server.received).toEqual([])
  })
})

describe('scripted', () => {
  const never: ModelWire = { post: () => Promise.reject(new Error('a recording asks nobody')) }
  const ask = (script: unknown) =>
    scripted.ask(target({ script: typeof script === 'string' ? script : JSON.stringify(script) }), prompt, never)

  test('gives the first recorded answer that fits, and asks nobody', async () => {
    const script = [
      { match: ['again', 'absent'], answer: 'no' },
      { match: ['again', 'ü✓'], answer: { actions: [] } },
      { answer: 'else' },
    ]
    expect(await ask(script)).toMatchObject({ kind: 'answered', text: '{"actions":[]}' })
    expect(scripted.endpoint(target({}))).toBe(null)
  })

  test('counts the same for the same question', async () => {
    expect(await ask([{ answer: 'x' }])).toEqual(await ask([{ answer: 'x' }]))
  })

  test.each([
    ['no recorded answer fits', [{ match: 'absent', answer: 'x' }]],
    ['the script cannot be used', '{'],
    ['the script cannot be used', { answer: 'x' }],
    ['the script cannot be used', [{ match: 'x' }]],
  ])('fails for good where %s', async (reason, script) => {
    expect(await ask(script)).toMatchObject({ kind: 'failed', reason: expect.stringContaining(reason) })
  })
})
