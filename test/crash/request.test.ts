import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { connectorYaml } from '../executor/effects/world.ts'
import { allowAll, doc, policy, tenant } from '../operations/repositories.ts'
import { type Sent, send, type TestApi, testApi } from '../support/api.ts'
import { type TestEngine, testEngine } from '../support/engine.ts'
import { type Provider, startProvider } from '../support/provider.ts'

const child = fileURLToPath(new URL('./request-child.ts', import.meta.url))
const rootKeyText = Buffer.alloc(32, 'fibric test root key').toString('hex')

let engine: TestEngine
let provider: Provider
/** A second replica, whose server is never killed: it is asked again. */
let survivor: TestApi
let key: string

const keeper = `
  trigger: {on: [thing.seen]}
  capabilities: [thing.keyed]
  reason: {rules: [{when: 'true', propose: [{capability: thing.keyed, args: {id: "\${event.payload.id}"}}]}]}`

beforeAll(async () => {
  provider = await startProvider()
  engine = await testEngine({
    'fibric.yaml': doc('Deployment', 'lab', '{egress: {allowPrivate: ["127.0.0.1/32"]}}'),
    'tenants/_platform/connectors.yaml': connectorYaml,
    'tenants/_platform/policy.yaml': policy('config', allowAll),
    'tenants/acme/tenant.yaml': tenant('acme'),
    'tenants/acme/policy.yaml': policy('things', '{id: things, match: {capability: "thing.*"}, decision: ALLOW}'),
    'tenants/acme/connection.yaml': doc(
      'Connection',
      'main',
      `{connector: lab@1.0.0, as: [lab], config: {port: "${provider.port}"}}`,
    ),
    'tenants/acme/operator.yaml': doc('Operator', 'keeper', keeper),
  })
  await engine.apply()
  survivor = await testApi({ ...engine, clock: () => new Date() })
  key = await survivor.key('acme')
})
afterAll(async () => {
  await survivor.close()
  await engine.close()
  await provider.close()
})

const requests = [
  {
    what: 'a key is made',
    path: '/v1/tenant/keys',
    body: (name: string) => ({ role: 'ingest', name }),
    status: 201,
    done: async (name: string) => {
      const listed = await survivor.send('GET', '/v1/tenant/keys?limit=100', { key })
      return listed.json.data.filter((each: { name: string }) => each.name === name).length
    },
  },
  {
    what: 'an operator runs',
    path: '/v1/operators/keeper/run',
    body: (name: string) => ({ payload: { id: name } }),
    status: 200,
    done: async (name: string) => {
      const runs = await engine.sql<{ count: number }>(
        `select count(*)::int as count from fibric.action where entity_key like '%' || $1 || '%' and effect is not null`,
        [`thing:${name}`],
      )
      return runs[0]!.count
    },
  },
  {
    what: 'effects are stopped',
    path: '/v1/stops',
    body: (name: string) => ({ scope: 'operator', name, reason: 'crash' }),
    status: 200,
    done: async (name: string) => {
      const stops = await survivor.send('GET', '/v1/stops?limit=100', { key })
      return stops.json.data.filter((each: { name: string }) => each.name === name).length
    },
  },
]

test.each(requests)(
  '$what once, wherever the server was killed in the middle of it',
  async ({ path, body, status, done, what }) => {
    const ask = (port: number, name: string): Promise<Sent> =>
      send(port, 'POST', path, { key, body: body(name), headers: { 'idempotency-key': `${what} ${name}` } })

    const dry = await serve(-1)
    expect((await ask(dry.port, 'dry')).status).toBe(status)
    const points = await dry.count()
    await dry.end()
    expect(points).toBeGreaterThan(3)

    for (let point = 0; point < points; point++) {
      const name = `p${point}`
      const server = await serve(point)
      const first = await ask(server.port, name).catch(() => null)
      await server.end()
      // What holds the key is as dead as its lease will be.
      await engine.sql(`update fibric.request set lease_until = now() - interval '1 s' where state = 'running'`)
      await engine.sql(`update fibric.lease set until = now() - interval '1 s' where until is not null`)
      const again = await ask(survivor.port, name)
      if (first !== null) expect([point, again.text]).toEqual([point, first.text])
      // A stop that stands already is told of: it was made by the attempt that died.
      expect([point, again.status, again.text.slice(0, 200)].slice(0, 2)).toEqual([
        point,
        again.status === 409 ? 409 : status,
      ])
      if (again.status === 409) expect(again.json.error.code).toBe('state_conflict')
      expect([point, await done(name)]).toEqual([point, 1])
      await opens(point, again)
      const third = await ask(survivor.port, name)
      expect([third.status, third.text]).toEqual([again.status, again.text])
    }
  },
)

/** A key that an attempt made whose answer was lost opens what the later answer says it opens. */
async function opens(point: number, { json }: Sent): Promise<void> {
  if (json.object !== 'api_key') return
  const used = await survivor.send('POST', '/v1/events', {
    key: json.secret,
    body: { source: 'crash', event_type: 'crash.seen', payload: {} },
  })
  expect([point, used.status]).toEqual([point, 202])
}

interface Server {
  readonly port: number
  count(): Promise<number>
  end(): Promise<void>
}

async function serve(killAt: number): Promise<Server> {
  const started: ChildProcess = spawn(
    process.execPath,
    [child, engine.config.databaseUrl!, engine.config.dataDirectory, rootKeyText, String(killAt)],
    { stdio: ['pipe', 'pipe', 'inherit'] },
  )
  const ended = new Promise<void>((resolve) => started.on('close', () => resolve()))
  const lines = createInterface({ input: started.stdout! })[Symbol.asyncIterator]()
  const line = async (): Promise<string> => String((await lines.next()).value)
  const port = Number(await line())
  started.stdin!.on('error', () => {}) // it may be dead already
  started.stdin!.write('arm\n')
  // The arming has to be there before the request is: nothing says so but time.
  await new Promise((resolve) => setTimeout(resolve, 50))
  return {
    port,
    async count() {
      started.stdin!.write('count\n')
      return Number((await line()).split(' ')[1])
    },
    async end() {
      started.stdin!.end()
      await ended
    },
  }
}
