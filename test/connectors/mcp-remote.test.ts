import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { ConnectorRuntime } from '../../controller/connectors/runtime.ts'
import type { TenantId } from '../../controller/domain/ids.ts'
import { writeSecret } from '../../controller/tenancy/secrets.ts'
import { fates, type TestEngine, testEngine } from '../support/engine.ts'
import { answers, type Behaviour, hangsUp, type Provider, startProvider } from '../support/provider.ts'
import { attempt, bind, labFiles, tenantIdOf } from './lab.ts'
import { mcpConnector, readTool, speaksMcp, toolNames } from './mcp-lab.ts'

let provider: Provider
let tools: readonly string[] = toolNames
let stream = false
let does: (name: string, args: { readonly [name: string]: unknown }) => Promise<unknown>
let onCall: Behaviour | null = null
let onOpen: Behaviour | null = null
const engines: TestEngine[] = []
let lab: { readonly engine: TestEngine; readonly tenant: TenantId; readonly digest: string }

const auth = '{kind: api_key, in: header, name: X-Key}'
const key = 'the-key-of-the-server'

beforeAll(async () => {
  provider = await startProvider()
  const server = speaksMcp({ does: (name, args) => does(name, args), tools: () => tools, stream: () => stream })
  provider.on('/mcp', (request, response, socket) => {
    const isCall = request.body.includes('"tools/call"')
    const other = isCall ? onCall : onOpen
    return (other ?? server)(request, response, socket)
  })
  behave()
  const unpinned = await open('')
  const runtime = runtimeOf(unpinned.engine)
  const refused = await attempt(runtime, await bind(runtime, unpinned.tenant, 'text.say'), { text: 'hi' })
  expect(refused).toMatchObject({ kind: 'failed', reason: expect.stringContaining('pins no `mcp.toolsDigest`') })
  const digest = /sha256:[0-9a-f]{64}/.exec(refused.reason)![0]
  lab = { ...(await open(`, toolsDigest: "${digest}"`)), digest }
})
afterAll(async () => {
  for (const engine of engines) await engine.close()
  await provider.close()
})
beforeEach(async () => {
  behave()
  provider.received.length = 0
  await lab.engine.sql('delete from fibric.egress_gate')
})

function behave(): void {
  tools = toolNames
  stream = false
  onCall = null
  onOpen = null
  does = async (name, { text }) => {
    if (name === 'refuse') return { isError: true, text: 'no' }
    if (name === 'error') return { error: 'failed after its work' }
    return { structured: { said: String(text) } }
  }
}

async function open(more: string): Promise<{ engine: TestEngine; tenant: TenantId }> {
  const url = `http://127.0.0.1:\${config.port}/mcp`
  const engine = await testEngine({
    ...labFiles(provider, auth),
    'tenants/_platform/connectors/lab.yaml': mcpConnector(`{url: "${url}"${more}}`, readTool, auth),
  })
  engines.push(engine)
  const refused = Object.entries(fates(await engine.apply())).filter(([, outcome]) => outcome !== 'applied')
  if (refused.length > 0) throw new Error(`not applied: ${JSON.stringify(refused)}`)
  const tenant = await tenantIdOf(engine, 'acme')
  const place = { tenantId: tenant, name: 'lab-key', field: 'value' }
  await writeSecret(engine.database, place, Buffer.from(key), { person: 'ana', now: engine.clock(), keepPreviousMs: 0 })
  return { engine, tenant }
}

function runtimeOf(engine: TestEngine): ConnectorRuntime {
  return new ConnectorRuntime({ database: engine.database, clock: engine.clock, aws: null })
}

async function call(capability: string, args: object = { text: 'hi' }, options = {}) {
  const runtime = runtimeOf(lab.engine)
  return attempt(runtime, await bind(runtime, lab.tenant, capability), args as never, options)
}

const calls = () => provider.received.filter(({ body }) => body.includes('"tools/call"'))

describe('a remote server', () => {
  test.each([
    { as: 'JSON', streams: false },
    { as: 'an event stream that stays open', streams: true },
  ])('is called with the credential, and answers as $as', async ({ streams }) => {
    stream = streams
    const result = await call('text.say')
    expect(result).toMatchObject({
      kind: 'applied',
      body: { said: 'hi' },
      credential: { name: 'lab-key', version: 1 },
    })
    expect(calls().length).toBe(1)
    expect(calls()[0]!.headers).toMatchObject({ 'x-key': key, 'mcp-session-id': 'session-1' })
    expect(JSON.parse(calls()[0]!.body)).toEqual({
      jsonrpc: '2.0',
      id: 'call',
      method: 'tools/call',
      params: { name: 'say', arguments: { text: 'hi' } },
    })
    expect(provider.received.at(-1)!.method, 'the session is ended').toBe('DELETE')
  })

  test('cannot bring back the credential in what it says', async () => {
    does = async () => ({ structured: { said: `your key is ${key}` } })
    expect((await call('text.say')).body).toEqual({ said: 'your key is [secret lab-key.value]' })
  })

  test('cannot bring it back in an error either', async () => {
    const error = { code: -32000, message: `no session for ${key}` }
    onOpen = ({ body }, response) =>
      void response
        .writeHead(200, { 'content-type': 'application/json' })
        .end(JSON.stringify({ jsonrpc: '2.0', id: (JSON.parse(body) as { id: number }).id, error }))
    const result = await call('text.say')
    expect(result).toMatchObject({ kind: 'not-done', reason: expect.stringContaining('no session for [secret') })
    expect(result.reason).not.toContain(key)
  })

  test('reads with a tool that a platform connector vouches for', async () => {
    const runtime = runtimeOf(lab.engine)
    const bound = await bind(runtime, lab.tenant, 'text.read')
    const signal = new AbortController().signal
    expect(await runtime.read(bound, { text: 'x' }, signal)).toEqual({ kind: 'ok', body: { said: 'x' } })
    const stranger = { ...bound, connector: 'acme/Connector/lab@1.0.0' as never }
    expect(await runtime.read(stranger, { text: 'x' }, signal)).toMatchObject({ kind: 'failed' })
    expect(calls().length).toBe(1)
  })

  test('whose tools are others than those pinned is not called, and its connection is Drifted', async () => {
    tools = [...toolNames, 'delete_everything']
    expect(await call('text.say')).toMatchObject({ kind: 'failed', reason: expect.stringMatching(/^Drifted: /) })
    expect(calls()).toEqual([])
    await expect
      .poll(() => lab.engine.sql('select address, pinned from fibric.connection_drift'))
      .toEqual([{ address: 'acme/Connection/main', pinned: lab.digest }])
    tools = toolNames
    expect(await call('text.say')).toMatchObject({ kind: 'applied' })
    await expect.poll(() => lab.engine.sql('select 1 from fibric.connection_drift')).toEqual([])
  })

  test('is written to by the token of one intent only, for one body', async () => {
    const runtime = runtimeOf(lab.engine)
    const bound = await bind(runtime, lab.tenant, 'text.say')
    const other = await attempt(
      runtime,
      bound,
      { text: 'mine' },
      {
        alter: (token) => ({ ...token, bodyDigest: 'sha256:0' as never }),
      },
    )
    expect(other).toMatchObject({ kind: 'failed', reason: expect.stringContaining('the token is for another body') })
    expect(calls()).toEqual([])
  })

  test('that tries to be called elsewhere is refused: not done', async () => {
    onOpen = answers(307, {}, { location: 'http://169.254.169.254/latest' })
    expect(await call('text.say')).toMatchObject({ kind: 'not-done' })
    onOpen = null
    onCall = answers(307, {}, { location: '/elsewhere' })
    expect(await call('text.say')).toMatchObject({ kind: 'failed', status: 307 })
    expect(provider.received.filter(({ path }) => path !== '/mcp')).toEqual([])
  })
})

describe('what the answer of a remote server means', () => {
  const rows: { says: string; tool?: string; on?: Behaviour; kind: string; status?: number | null }[] = [
    { says: 'isError', tool: 'text.refuse', kind: 'unknown' },
    { says: 'isError, of which `outcome` says failed', tool: 'text.weigh', kind: 'failed' },
    { says: 'an error of the protocol', tool: 'text.err', kind: 'unknown' },
    { says: '500', on: answers(500, {}), kind: 'unknown', status: 500 },
    { says: '403', on: answers(403, {}), kind: 'failed', status: 403 },
    { says: '429', on: answers(429, {}), kind: 'not-done', status: 429 },
    { says: '404 within a session', on: answers(404, {}), kind: 'not-done', status: 404 },
    { says: 'nothing, and hangs up', on: hangsUp, kind: 'unknown', status: null },
    {
      says: 'what is no JSON',
      on: (_r, response) => void response.writeHead(200, { 'content-type': 'application/json' }).end('{"jsonrpc"'),
      kind: 'unknown',
    },
    {
      says: 'another call’s answer',
      on: answers(200, { jsonrpc: '2.0', id: 'other', result: { content: [] } }),
      kind: 'unknown',
    },
    {
      says: 'a stream that ends without an answer',
      on: (_r, response) => void response.writeHead(200, { 'content-type': 'text/event-stream' }).end('data: {}\n\n'),
      kind: 'unknown',
    },
  ]
  test.each(rows)('$says: $kind', async ({ tool = 'text.tell', on = null, kind, status }) => {
    onCall = on
    const result = await call(tool)
    expect({ kind: result.kind, reason: result.reason }).toMatchObject({ kind })
    if (status !== undefined) expect(result.status).toBe(status)
    expect(calls().length).toBe(1)
  })

  test.each([
    { says: '500', on: answers(500, {}), kind: 'not-done' },
    { says: '401', on: answers(401, {}), kind: 'failed' },
    { says: 'nothing', on: hangsUp, kind: 'not-done' },
  ])('a session that does not open ($says): $kind, and no call', async ({ on, kind }) => {
    onOpen = on
    expect(await call('text.say')).toMatchObject({ kind })
    expect(calls()).toEqual([])
  })

  test('an answer without end is cut off, and is a doubt', async () => {
    let wrote = 0
    onCall = async (_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      const part = `: ${'x'.repeat(1 << 20)}\n`
      while (wrote < 1024 && !response.destroyed) {
        wrote++
        if (!response.write(part))
          await new Promise((resolve) => response.once('drain', resolve).once('close', resolve))
      }
    }
    const before = process.memoryUsage().rss
    expect(await call('text.say')).toMatchObject({ kind: 'unknown', reason: expect.stringContaining('too-large') })
    expect(wrote).toBeLessThan(512)
    expect(process.memoryUsage().rss - before).toBeLessThan(300 * 2 ** 20)
  })
})
