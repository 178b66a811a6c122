import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { ConnectorRuntime } from '../../controller/connectors/runtime.ts'
import type { Json } from '../../controller/domain/json.ts'
import { type Files, fates, type TestEngine, testEngine } from '../support/engine.ts'
import { type Provider, startProvider } from '../support/provider.ts'
import { bind, labFiles, tenantIdOf } from './lab.ts'
import { mcpConnector } from './mcp-lab.ts'

const auth = '{kind: api_key, in: header, name: X-Key}'

let provider: Provider
const engines: TestEngine[] = []
beforeAll(async () => {
  provider = await startProvider()
  return () => provider.close()
})
beforeEach(() => provider.forget())
afterEach(async () => {
  // Whatever was asked, nobody heard of it.
  expect(provider.received).toEqual([])
  for (const engine of engines.splice(0)) await engine.close()
})

async function rehearse(more: Files, capability: string, args: Json, options: { ifMatch?: string } = {}) {
  const engine = await testEngine({ ...labFiles(provider, auth), ...more })
  engines.push(engine)
  const refused = Object.entries(fates(await engine.apply())).filter(([, outcome]) => outcome !== 'applied')
  if (refused.length > 0) throw new Error(`not applied: ${JSON.stringify(refused)}`)
  const runtime = new ConnectorRuntime({ database: engine.database, clock: engine.clock, aws: null })
  const bound = await bind(runtime, await tenantIdOf(engine, 'acme'), capability)
  return runtime.rehearse(bound, args, { idempotencyKey: 'key-1', ...options })
}

const connection = (more: string): Files => ({
  'tenants/acme/connections/main.yaml': `
apiVersion: fibric.io/v1
kind: Connection
metadata: {name: main}
spec: {connector: lab@1.0.0, as: [lab], config: {port: "${provider.port}", folder: inbox}, credential: lab-key${more}}
`,
})

describe('a rehearsal', () => {
  test('builds the request of a tool, key and version with it, and no credential: none is even looked for', async () => {
    const args = { id: 't 1', amount: 3.5, note: 'a&b' }
    expect(await rehearse({}, 'thing.make', args, { ifMatch: '"v1"' })).toEqual({
      kind: 'kept',
      why: 'an effect needs the token of a committed intent',
      request: {
        method: 'POST',
        url: `http://127.0.0.1:${provider.port}/api/things/t%201?note=a%26b`,
        headers: {
          accept: 'application/json',
          'content-type': 'application/json',
          'idempotency-key': 'key-1',
          'if-match': '"v1"',
          'x-note': 'a&b',
        },
        body: { id: 't 1', amount: 3.5 },
      },
    })
  })

  test('of a request without a body has none', async () => {
    expect(await rehearse({}, 'thing.drop', { id: 't1' })).toMatchObject({ request: { method: 'DELETE', body: null } })
  })

  test('says what could not be sent with an intent either', async () => {
    expect(await rehearse(connection(', egress: [other.example]'), 'thing.make', { id: 't1' })).toEqual({
      kind: 'refused',
      reason: `the host \`127.0.0.1:${provider.port}\` is not in the connection's egress`,
    })
  })

  test('of a remote MCP server is the message, and opens no session', async () => {
    const url = `http://127.0.0.1:\${config.port}/mcp`
    const mcp = { 'tenants/_platform/connectors/lab.yaml': mcpConnector(`{url: "${url}"}`, undefined, auth) }
    expect(await rehearse(mcp, 'text.tell', { text: 'hi' })).toMatchObject({
      kind: 'kept',
      request: {
        method: 'POST',
        url: `http://127.0.0.1:${provider.port}/mcp`,
        body: { jsonrpc: '2.0', method: 'tools/call', params: { name: 'say', arguments: { text: 'told: hi' } } },
      },
    })
  })

  test('of a program is the call, and starts none', async () => {
    const mcp = {
      'tenants/_platform/connectors/lab.yaml': mcpConnector('{command: [no-such-program]}'),
      ...connection(''),
    }
    expect(await rehearse(mcp, 'text.say', { text: 'hi' })).toMatchObject({
      kind: 'kept',
      request: {
        method: 'CALL',
        url: 'acme/Connection/main/say',
        body: { method: 'tools/call', params: { name: 'say', arguments: { text: 'hi' } } },
      },
    })
  })
})
