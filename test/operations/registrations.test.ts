import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { listConnections } from '../../controller/operations/connections.ts'
import { ingestAddresses, settlePublicUrl } from '../../controller/operations/ingest-addresses.ts'
import { Registrar } from '../../controller/operations/registrations.ts'
import { connectorYaml, startWorld, type World } from '../executor/effects/world.ts'
import { fates } from '../support/engine.ts'
import { answers } from '../support/provider.ts'
import { policy, tenant } from './repositories.ts'

const origin = 'http://127.0.0.1:4310'

const connector = (version: string): string =>
  `${connectorYaml.replace('version: 1.0.0', `version: ${version}`)}
    hook.create:
      effect: idempotent
      entityKey: "hook:\${args.topic}"
      input: {type: object, properties: {topic: {type: string}, url: {type: string}}, required: [topic, url], additionalProperties: false}
      http: {method: PUT, path: "/hooks/\${args.topic}", body: {url: "\${args.url}"}}
    hook.delete:
      effect: idempotent
      entityKey: "hook:\${args.topic}"
      input: {type: object, properties: {topic: {type: string}}, required: [topic], additionalProperties: false}
      http: {method: DELETE, path: "/hooks/\${args.topic}"}
  events:
    thing.made:
      kind: webhook
      topic: things/made
      verify: {scheme: github}
      register: {tool: hook.create, args: {topic: made, url: "\${ingest.url}"}}
      unregister: {tool: hook.delete, args: {topic: made}}
`

const allowed = policy('hooks', '{id: hooks, match: {capability: "hook.*"}, decision: ALLOW}')

let world: World

beforeAll(async () => {
  world = await startWorld({
    extra: {
      'tenants/_platform/connectors/lab.yaml': connector('1.0.0'),
      'tenants/beta/connections/main.yaml': null,
    },
  })
})
afterAll(() => world.close())
beforeEach(() => world.provider.forget())

const propose = (from: string | null = origin) => new Registrar(world.engine, from).look()
const hooks = () => world.provider.received.filter(({ path }) => path.startsWith('/api/hooks'))
const ready = async () => (await listConnections(world.engine, 'acme'))[0]!

async function change(files: { readonly [path: string]: string | null }): Promise<void> {
  world.engine.time.now += 60_000
  world.engine.write(files)
  const refused = Object.entries(fates(await world.engine.apply())).filter(([, outcome]) => outcome !== 'applied')
  expect(refused).toEqual([])
}

describe('a webhook that its connector registers', () => {
  test('is not registered where no rule allows it, and its connection says so', async () => {
    expect(await propose()).toBe(1)
    await world.finish()
    expect(hooks()).toEqual([])
    expect(await world.actions()).toMatchObject([{ state: 'blocked' }])
    expect(await world.receipts()).toMatchObject([
      { capability: 'hook.create', outcome: 'blocked', proposer: { kind: 'builtin', name: 'builtin:registrar' } },
    ])
    expect(await ready()).toMatchObject({ ready: false, reason: 'Unregistered' })
    expect(await propose(), 'the same wish is asked once').toBe(0)
  })

  test('is registered once a rule allows it, once', async () => {
    await change({ 'tenants/acme/policies/hooks.yaml': allowed })
    const both = await Promise.all([propose(), propose()])
    expect(both.toSorted()).toEqual([0, 1])
    await world.finish()
    expect(hooks()).toMatchObject([
      { method: 'PUT', path: '/api/hooks/made', body: `{"url":"${origin}/v1/t/acme/ingest/main/thing.made"}` },
    ])
    expect(await ready()).toMatchObject({ ready: true })
    expect(await propose()).toBe(0)
  })

  test('is registered again when its address moves, or its connector', async () => {
    expect(await propose('http://127.0.0.1:5000')).toBe(1)
    await world.finish()
    expect(hooks()[0]!.body).toContain('127.0.0.1:5000')
    await change({
      'tenants/_platform/connectors/lab-1.1.0.yaml': connector('1.1.0'),
      'tenants/acme/connections/main.yaml': `
apiVersion: fibric.io/v1
kind: Connection
metadata: {name: main}
spec: {connector: lab@1.1.0, as: [lab], config: {port: "${world.provider.port}"}}
`,
    })
    expect(await propose('http://127.0.0.1:5000')).toBe(1)
    await world.finish()
    expect(hooks().length).toBe(2)
  })

  test('is not registered at all while nobody outside could reach it', async () => {
    expect(await propose(null)).toBe(0)
    await world.finish()
    expect(hooks()).toEqual([])
  })

  test('is ended when its connection goes, at the provider as it was', async () => {
    let asked = 0
    world.provider.on('/api/hooks/made', (...call) => answers(asked++ === 0 ? 503 : 404, {})(...call))
    await change({ 'tenants/acme/connections/main.yaml': null })
    expect(await propose()).toBe(1)
    expect(await propose()).toBe(0)
    await world.finish()
    // The first answer was a doubt; that it is gone by the second settles it.
    expect(hooks().length).toBe(2)
    expect((await world.actions()).at(-1)).toMatchObject({ state: 'applied' })
    expect(new Set(hooks().map(({ method }) => method))).toEqual(new Set(['DELETE']))
    expect((await world.receipts()).at(-1)).toMatchObject({ capability: 'hook.delete', outcome: 'applied' })
    expect(world.failures).toEqual([])
  })
})

describe('the address that a provider is told', () => {
  const of = async (from: string | null) =>
    (await ingestAddresses(world.engine.database, from)).of('acme' as never, 'main', 'thing.made', null)

  test('is the public one, and one of this machine only where nothing else is known', async () => {
    expect(await of('https://fibric.example.com')).toBe('https://fibric.example.com/v1/t/acme/ingest/main/thing.made')
    expect(await of(origin)).toBe(`${origin}/v1/t/acme/ingest/main/thing.made`)
    expect(await of(null)).toBe(null)
    await change({
      'tenants/acme/tenant.yaml': tenant('acme', ', hosts: [acme.example.com]'),
    })
    for (const from of [null, origin]) expect(await of(from)).toBe('https://acme.example.com/v1/ingest/main/thing.made')
  })

  test('is scheme and host, or refused when the controller starts', () => {
    expect(settlePublicUrl({})).toBe(null)
    expect(settlePublicUrl({ FIBRIC_PUBLIC_URL: 'https://fibric.example.com/' })).toBe('https://fibric.example.com')
    for (const text of ['fibric.example.com', 'ftp://x', 'https://x/path']) {
      expect(() => settlePublicUrl({ FIBRIC_PUBLIC_URL: text }), text).toThrow('is no address')
    }
  })
})
