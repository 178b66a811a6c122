import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { connectorsOf } from '../../controller/operations/connections.ts'
import { drillConnection } from '../../controller/operations/drill.ts'
import { startWorld, type World } from '../executor/effects/world.ts'
import type { Behaviour } from '../support/provider.ts'

/** What a provider does with a write it has seen before under the same key, or to the same thing. */
type Memory = 'remembers' | 'forgets' | 'refuses'

let world: World
let effects = 0
let seen = new Set<string>()
let memory: Memory = 'remembers'
let etag = 1

const send = (response: Parameters<Behaviour>[1], status: number, body: object, headers = {}) =>
  void response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body))

/** A small shop of things: creates by key, puts by state, checks versions when it is honest. */
const shop: Behaviour = ({ method, headers }, response) => {
  if (method === 'GET') return send(response, 200, { ok: effects > 0, state: `${effects}`, etag: `"${etag}"` })
  const match = headers['if-match']
  if (match !== undefined) {
    if (match !== `"${etag}"` && memory !== 'forgets') return send(response, 412, {})
    etag++
    effects++
    return send(response, 200, {})
  }
  const key = method === 'PUT' && memory === 'remembers' ? 'put' : (headers['idempotency-key'] ?? 'none')
  if (memory === 'forgets' || !seen.has(key)) effects++
  else if (memory === 'refuses') return send(response, 409, {})
  seen.add(key)
  send(response, 200, {})
}

const connection = (name: string, more: string): string => `
apiVersion: fibric.io/v1
kind: Connection
metadata: {name: ${name}}
spec: {connector: lab@1.0.0, as: [lab], config: {port: "1"}, ${more}}
`

beforeAll(async () => {
  world = await startWorld()
  const url = `${world.provider.url}/api`
  world.engine.write({
    'tenants/acme/connections/box.yaml': connection('box', `transport: {sandbox: {baseUrl: "${url}"}}`),
    'tenants/acme/connections/strict.yaml': connection('strict', 'requireDrill: true'),
  })
  world.engine.time.now += 1000
  await world.engine.apply()
  world.provider.on('*', shop)
})
afterAll(() => world.close())
beforeEach(() => {
  effects = 0
  etag = 1
  seen = new Set()
  memory = 'remembers'
})

const drill = (tool: string, name = 'box', read: string | null = 'thing.read') =>
  drillConnection(world.engine, 'acme', name, {
    tool,
    args: { id: 't1' },
    read: read === null ? null : { tool: read, args: { id: 't1' } },
  })

const classNow = async (tool: string, name = 'strict') => {
  const bound = await connectorsOf(world.engine).resolve((await world.domain()).tenant_id, tool, name)
  return bound.kind === 'bound' && bound.tool.effect
}

describe('a drill', () => {
  test.each<{ tool: string; how: Memory; outcome: string; failing: string | null }>([
    { tool: 'thing.keyed', how: 'remembers', outcome: 'passed', failing: null },
    { tool: 'thing.keyed', how: 'refuses', outcome: 'passed', failing: null },
    { tool: 'thing.keyed', how: 'forgets', outcome: 'failed', failing: 'a second effect' },
    { tool: 'thing.idempotent', how: 'remembers', outcome: 'passed', failing: null },
    { tool: 'thing.idempotent', how: 'forgets', outcome: 'failed', failing: 'a second effect' },
    { tool: 'thing.match', how: 'remembers', outcome: 'passed', failing: null },
    { tool: 'thing.match', how: 'forgets', outcome: 'failed', failing: 'a second effect' },
    { tool: 'thing.ask', how: 'remembers', outcome: 'passed', failing: null },
  ])('of $tool at a provider that $how: $outcome', async ({ tool, how, outcome, failing }) => {
    memory = how
    const found = await drill(tool)
    expect(found, JSON.stringify(found.checks)).toMatchObject({ tool, outcome })
    const last = found.checks.at(-1)!
    expect(last.passed).toBe(failing === null)
    if (failing !== null) expect(last.detail).toContain(failing)
    const entries = await world.entries('control.connection.drill')
    expect(entries.slice(-2).map((entry) => (entry.details as { outcome: string }).outcome)).toEqual(['begun', outcome])
  })

  test('that reads back what the effect does not change proves nothing', async () => {
    world.provider.on('/api/things/still', (_request, response) => send(response, 200, { state: 'still' }))
    const found = await drillConnection(world.engine, 'acme', 'box', {
      tool: 'thing.keyed',
      args: { id: 't1' },
      read: { tool: 'thing.read', args: { id: 'still' } },
    })
    expect(found).toMatchObject({ outcome: 'failed' })
    expect(found.checks[0]!.detail).toContain('does not show the effect')
  })

  test('is for a sandbox, for what is allowed, and for what promises something', async () => {
    const before = world.writes()
    await expect(drill('thing.keyed', 'main')).rejects.toMatchObject({ code: 'STATE_CONFLICT' })
    await expect(drill('thing.blind')).rejects.toMatchObject({ code: 'USAGE' })
    await expect(drill('thing.keyed', 'box', null)).rejects.toThrow('names nothing that could be read back')
    await expect(drill('thing.keyed', 'box', 'thing.match')).rejects.toThrow('is an effect, and no read')
    world.engine.write({
      'tenants/acme/policies/no.yaml': `
apiVersion: fibric.io/v1
kind: TrustPolicy
metadata: {name: no}
spec: {rules: [{id: none, match: {capability: thing.keyed}, decision: BLOCK}]}
`,
    })
    world.engine.time.now += 1000
    await world.engine.apply()
    expect(await drill('thing.keyed')).toMatchObject({ outcome: 'refused', checks: [], verdict: { decision: 'BLOCK' } })
    expect(world.writes()).toBe(before)
  })
})

test('where a drill is required, a tool is blind until the newest one held', async () => {
  expect(await classNow('thing.delete')).toBe('blind')
  expect(await classNow('thing.delete', 'main')).toBe('idempotent')
  expect(await classNow('thing.idempotent'), 'the last drill of it failed').toBe('blind')
  memory = 'remembers'
  await drill('thing.idempotent')
  expect(await classNow('thing.idempotent')).toBe('idempotent')
  memory = 'forgets'
  await drill('thing.idempotent')
  expect(await classNow('thing.idempotent')).toBe('blind')
  expect(await classNow('thing.read')).toBe('read')
})
