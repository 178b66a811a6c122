import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { ConnectorRuntime } from '../../controller/connectors/runtime.ts'
import type { TenantId } from '../../controller/domain/ids.ts'
import { listConnections, testConnection } from '../../controller/operations/connections.ts'
import { setSecret } from '../../controller/operations/secrets.ts'
import type { Files, TestEngine } from '../support/engine.ts'
import { answers, type Provider, startProvider } from '../support/provider.ts'
import { attempt, bind, labConnector, labEngine, tenantIdOf } from './lab.ts'

let provider: Provider
let engine: TestEngine
let runtime: ConnectorRuntime
let tenant: TenantId

beforeAll(async () => {
  provider = await startProvider()
})
afterAll(() => provider.close())
beforeEach(async () => {
  await engine?.close()
  provider.forget()
  engine = await labEngine(provider)
  runtime = new ConnectorRuntime({ database: engine.database, clock: engine.clock, aws: null })
  tenant = await tenantIdOf(engine, 'acme')
})
afterAll(() => engine.close())

const connection = (name: string, more = ''): Files => ({
  [`tenants/acme/connections/${name}.yaml`]: `
apiVersion: fibric.io/v1
kind: Connection
metadata: {name: ${name}}
spec:
  connector: lab@1.0.0
  config: {port: "${provider.port}"}
${more}`,
})
const reasonOf = async (capability: string, name: string | null = null) => {
  const binding = await runtime.resolve(tenant, capability, name)
  return binding.kind === 'unbound' ? binding.reason : binding.connection
}
const apply = async (files: Files) => {
  engine.write(files)
  await engine.apply()
}

describe('resolving a capability', () => {
  test('finds the one connection that offers it', async () => {
    expect(await runtime.resolve(tenant, 'thing.make')).toMatchObject({
      kind: 'bound',
      tenant,
      connection: 'acme/Connection/main',
      connectionRole: 'lab',
      connector: '_platform/Connector/lab@1.0.0',
      toolName: 'thing.make',
      tool: { effect: 'blind', tier: 2 },
      config: { port: String(provider.port) },
    })
    expect(await reasonOf('thing.unknown')).toBe('no connection offers `thing.unknown`')
    expect(await reasonOf('thing.make', 'other')).toBe('there is no connection `other`')
  })

  test('finds nothing in another domain', async () => {
    const platform = await tenantIdOf(engine, '_platform')
    expect(await runtime.resolve(platform, 'thing.make')).toMatchObject({ kind: 'unbound' })
  })

  test('asks for a binding where two offer it, and follows it from the moment it is applied', async () => {
    await apply(connection('second'))
    expect(await reasonOf('thing.make')).toContain('`main`, `second`')
    expect(await reasonOf('thing.make', 'second')).toBe('acme/Connection/second')
    await apply(connection('second', '  bindings: {thing.make: true}\n'))
    expect(await reasonOf('thing.make')).toBe('acme/Connection/second')
    await apply(connection('second', '  bindings: {thing.make: false}\n'))
    expect(await reasonOf('thing.make')).toBe('acme/Connection/main')
    await apply({ 'tenants/acme/connections/second.yaml': null })
    expect(await reasonOf('thing.make', 'second')).toBe('there is no connection `second`')
  })

  test('uses what was receipted: a row changed by hand changes nothing that runs', async () => {
    const before = await bind(runtime, tenant, 'thing.make')
    await apply(connection('second', '  bindings: {thing.make: true}\n'))
    const second = await bind(runtime, tenant, 'thing.make')
    await engine.sql(`update fibric.object set digest = $1 where address = 'acme/Connection/second'`, [
      before.connectionDigest,
    ])
    const fresh = new ConnectorRuntime({ database: engine.database, clock: engine.clock, aws: null })
    expect(await bind(fresh, tenant, 'thing.make')).toEqual(second)
  })

  test('stands still where content is gone', async () => {
    const { connectorDigest } = await bind(runtime, tenant, 'thing.make')
    await engine.sql('delete from fibric.content where digest = $1', [connectorDigest])
    const fresh = new ConnectorRuntime({ database: engine.database, clock: engine.clock, aws: null })
    expect(await fresh.resolve(tenant, 'thing.make')).toMatchObject({
      kind: 'unbound',
      reason: expect.stringContaining('is gone'),
    })
  })

  test('gives a re-send the documents of its first attempt', async () => {
    const first = await bind(runtime, tenant, 'thing.make')
    const renamed = labConnector('{kind: none}')
      .replace('version: 1.0.0', 'version: 2.0.0')
      .replaceAll('/things/', '/stuff/')
    const path = 'tenants/acme/connections/main.yaml'
    await apply({
      'tenants/_platform/connectors/lab-2.yaml': renamed,
      [path]: connection('main')[path]!.replace('lab@1.0.0', 'lab@2.0.0'),
    })
    const now = await bind(runtime, tenant, 'thing.make')
    expect(now.connector).toBe('_platform/Connector/lab@2.0.0')
    const pinned = { connectorDigest: first.connectorDigest, connectionDigest: first.connectionDigest }
    const restarted = new ConnectorRuntime({ database: engine.database, clock: engine.clock, aws: null })
    const again = await restarted.resolve(tenant, 'thing.make', 'main', pinned)
    expect(again).toMatchObject({ kind: 'bound', ...pinned })
    if (again.kind === 'bound') {
      provider.on('/api/things/t1', answers(200, { ok: true }))
      expect(await attempt(restarted, again, { id: 't1' }, { resend: true })).toMatchObject({ kind: 'applied' })
    }
  })
})

describe('where a connection may go', () => {
  test('is its own host, unless it lists others', async () => {
    const listed = connection('main', '  egress: [other.example]\n')
    await apply(listed)
    expect(await attempt(runtime, await bind(runtime, tenant, 'thing.make'), { id: 't1' })).toMatchObject({
      kind: 'failed',
      reason: expect.stringContaining('egress'),
    })
    expect(provider.received).toEqual([])
  })

  test('is nothing private once the Deployment no longer names it', async () => {
    const make = await bind(runtime, tenant, 'thing.make')
    provider.on('/api/things/t1', answers(200, { ok: true }))
    expect(await attempt(runtime, make, { id: 't1' })).toMatchObject({ kind: 'applied' })
    await apply({ 'fibric.yaml': 'apiVersion: fibric.io/v1\nkind: Deployment\nmetadata: {name: lab}\nspec: {}\n' })
    expect(await attempt(runtime, make, { id: 't1' })).toMatchObject({
      kind: 'failed',
      reason: expect.stringContaining('127.0.0.1'),
    })
  })

  test('is the sandbox where its transport names one', async () => {
    const sandbox = await startProvider()
    try {
      await apply(connection('main', `  transport: {sandbox: {baseUrl: "${sandbox.url}/sandbox"}}\n`))
      sandbox.on('/sandbox/things/t1', answers(200, { ok: true }))
      expect(await attempt(runtime, await bind(runtime, tenant, 'thing.make'), { id: 't1' })).toMatchObject({
        kind: 'applied',
      })
      expect(provider.received).toEqual([])
    } finally {
      await sandbox.close()
    }
  })
})

describe('connections', () => {
  test('are listed with where they go and what they lack', async () => {
    expect(await listConnections(engine, 'acme')).toMatchObject([
      { name: 'main', ready: true, base_url: `${provider.url}/api`, auth: 'none', transport: 'live' },
    ])
    await apply({
      'tenants/_platform/connectors/keyed.yaml': labConnector('{kind: basic}').replace('name: lab', 'name: keyed'),
      'tenants/acme/connections/keyed.yaml': connection('keyed', '  credential: the-keys\n')[
        'tenants/acme/connections/keyed.yaml'
      ]!.replace('lab@', 'keyed@'),
    })
    const keyed = async () => (await listConnections(engine, 'acme')).find(({ name }) => name === 'keyed')
    expect(await keyed()).toMatchObject({
      ready: false,
      reason: 'CredentialMissing',
      message: expect.stringContaining('`username` and no `password`'),
    })
    for (const [field, value] of [
      ['username', 'ana'],
      ['password', 'long-enough'],
    ]) {
      await setSecret(engine, 'acme', `the-keys.${field}`, Buffer.from(value!))
    }
    expect(await keyed()).toMatchObject({ ready: true, reason: null })
  })

  test('are probed', async () => {
    provider.on('/api/ping', answers(200, {}))
    expect((await testConnection(engine, 'acme', 'main')).probe).toMatchObject({ kind: 'alive', status: 200 })
    provider.on('/api/ping', answers(503, {}))
    expect((await testConnection(engine, 'acme', 'main')).probe).toMatchObject({ kind: 'failed', status: 503 })
    await expect(testConnection(engine, 'acme', 'nobody')).rejects.toMatchObject({ code: 'NOT_FOUND' })
    const reader = await engine.as(null, 'read_only')
    await expect(testConnection(reader, 'acme', 'main')).rejects.toMatchObject({ code: 'INSUFFICIENT_SCOPE' })
  })
})
