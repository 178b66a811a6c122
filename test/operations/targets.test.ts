import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { resume, suspend } from '../../controller/operations/runtime-records.ts'
import { type Files, fates, summary, type TestEngine, testEngine } from '../support/engine.ts'
import { allowAll, doc, docs, open, parameter, policy, role, tenant, user } from './repositories.ts'

let engine: TestEngine
afterEach(() => engine.close())

const files: Files = {
  ...open,
  'tenants/acme/people.yaml': docs(role('clerk'), user('eve', 'clerk')),
  'tenants/acme/p.yaml': docs(parameter('a', 1, 'labels: {team: ops}'), parameter('b', 1, 'labels: {team: web}')),
  'tenants/beta/tenant.yaml': tenant('beta'),
  'tenants/beta/p.yaml': parameter('a', 1, 'labels: {team: ops}'),
}

describe('a narrower plan', () => {
  beforeEach(async () => {
    engine = await testEngine(open)
    await engine.apply()
    engine.become(files)
  })

  test('of a target brings what the target refers to, and nothing else', async () => {
    expect(summary(await engine.plan({ scope: { targets: ['acme/User/eve' as never] } }))).toEqual([
      '+ acme/Role/clerk',
      '+ acme/User/eve',
    ])
  })

  test('of a label looks at both what is wanted and what is applied', async () => {
    expect(summary(await engine.plan({ scope: { labels: { team: 'web' } } }))).toEqual(['+ acme/Parameter/b'])
    await engine.apply()
    engine.write({ 'tenants/acme/p.yaml': null, 'tenants/beta/p.yaml': null })
    expect(summary(await engine.plan({ scope: { labels: { team: 'ops' } } }))).toEqual([
      '- acme/Parameter/a',
      '- beta/Parameter/a',
    ])
  })

  test('of a tenant leaves the others alone', async () => {
    expect(summary(await engine.plan({ scope: { slug: 'beta' as never } }))).toEqual([
      '+ beta/Tenant/beta',
      '+ beta/Parameter/a',
    ])
    await engine.apply({ scope: { slug: 'beta' as never } })
    expect(summary(await engine.plan())).toHaveLength(4)
  })

  test('of a target that is nowhere plans nothing', async () => {
    expect(summary(await engine.plan({ scope: { targets: ['acme/User/nobody' as never] } }))).toEqual([])
  })
})

describe('destroy', () => {
  test('deletes everything in scope in the reverse order of references, the tenant last, and only with the exact count', async () => {
    engine = await testEngine(files)
    await engine.apply()
    const planned = await engine.plan({ destroy: true, scope: { slug: 'acme' as never } })
    const order = summary(planned)
    expect(order).toHaveLength(5)
    expect(order.at(-1)).toBe('- acme/Tenant/acme')
    expect(order.indexOf('- acme/User/eve')).toBeLessThan(order.indexOf('- acme/Role/clerk'))
    await expect(engine.apply({ destroy: true, scope: { slug: 'acme' as never } })).rejects.toMatchObject({
      exitCode: 8,
    })
    const applied = await engine.apply({ destroy: true, scope: { slug: 'acme' as never } }, 5)
    expect(new Set(Object.values(fates(applied)))).toEqual(new Set(['applied']))
    const [domain] = await engine.sql<{ state: string }>(`select state from fibric.domain where slug = 'acme'`)
    expect(domain!.state).toBe('deleted')
  })

  test('a tenant that comes again gets an id of its own, and the ledger of the first one stays', async () => {
    engine = await testEngine(files)
    await engine.apply()
    await engine.apply({ destroy: true, scope: { slug: 'acme' as never } }, 5)
    await engine.apply()
    const domains = await engine.sql<{ tenant_id: string; ledger_id: string; state: string }>(
      `select * from fibric.domain where slug = 'acme' order by created_at, state desc`,
    )
    expect(domains.map(({ state }) => state).sort()).toEqual(['active', 'deleted'])
    expect(new Set(domains.map(({ tenant_id }) => tenant_id)).size).toBe(2)
    expect(new Set(domains.map(({ ledger_id }) => ledger_id)).size).toBe(2)
    expect(summary(await engine.plan())).toEqual([])
  })

  test('of the platform alone is refused while tenants refer to what it would delete', async () => {
    engine = await testEngine({ ...files, ...connected })
    await engine.apply()
    const scope = { slug: '_platform' as never }
    const planned = await engine.plan({ destroy: true, scope }).catch((error) => error)
    const deletions = planned instanceof Error ? 0 : planned.plan.changes.length
    await expect(engine.apply({ destroy: true, scope }, deletions)).rejects.toMatchObject({
      exitCode: expect.toSatisfy((code: number) => code === 5 || code === 8),
    })
    expect(
      await engine.sql(
        `select from fibric.object where address = '_platform/Connector/shop@1.0.0' and digest is not null`,
      ),
    ).toHaveLength(1)
  })
})

const connector = (version: string, description = 'Read an order'): string =>
  doc(
    'Connector',
    'shop',
    `{version: ${version}, category: commerce, auth: {kind: none}, runtime: http, http: {baseUrl: "https://shop.example.com"}, tools: {order.read: {description: ${description}, tier: 0, effect: read, input: {type: object, additionalProperties: false}, output: {type: object}, http: {method: GET, path: /orders}}}}`,
  )
const connected: Files = {
  'tenants/_platform/shop.yaml': connector('1.0.0'),
  'tenants/acme/shop.yaml': doc('Connection', 'shop', '{connector: shop@1.0.0, as: [orders]}'),
}

describe('a published version', () => {
  test('never changes: 5, whatever the rules allow, and nothing is written', async () => {
    engine = await testEngine({ ...open, ...connected })
    await engine.apply()
    engine.write({ 'tenants/_platform/shop.yaml': connector('1.0.0', 'Read another order') })
    const before = await engine.census()
    await expect(engine.apply()).rejects.toMatchObject({ code: 'VERSION_IMMUTABLE', exitCode: 5 })
    expect(await engine.census()).toEqual(before)
  })

  test('stands beside the next one', async () => {
    engine = await testEngine({ ...open, ...connected })
    await engine.apply()
    engine.write({ 'tenants/_platform/shop.yaml': docs(connector('1.0.0'), connector('1.1.0', 'Read another order')) })
    expect(fates(await engine.apply())).toEqual({ '_platform/Connector/shop@1.1.0': 'applied' })
  })

  test('never comes back with other content after it was deleted', async () => {
    engine = await testEngine({ ...open, 'tenants/_platform/shop.yaml': docs(connector('1.0.0'), connector('1.1.0')) })
    await engine.apply()
    engine.write({ 'tenants/_platform/shop.yaml': connector('1.1.0') })
    await engine.apply()
    engine.write({ 'tenants/_platform/shop.yaml': docs(connector('1.0.0', 'Read another order'), connector('1.1.0')) })
    await expect(engine.apply()).rejects.toMatchObject({ code: 'VERSION_IMMUTABLE', exitCode: 5 })
    engine.write({ 'tenants/_platform/shop.yaml': docs(connector('1.0.0'), connector('1.1.0')) })
    expect(fates(await engine.apply())).toEqual({ '_platform/Connector/shop@1.0.0': 'applied' })
  })

  test('that is pinned is not deleted', async () => {
    engine = await testEngine({ ...open, ...connected })
    await engine.apply()
    engine.write({ 'tenants/_platform/shop.yaml': null })
    await expect(engine.apply()).rejects.toMatchObject({ code: 'INVALID_CONFIGURATION', exitCode: 5 })
    await expect(engine.apply({ scope: { slug: '_platform' as never } })).rejects.toMatchObject({ exitCode: 5 })
  })
})

describe('a suspended object', () => {
  const hour = 3_600_000

  test('is never touched: not changed, not deleted, not renamed, not healed, not by break-glass', async () => {
    engine = await testEngine(files)
    await engine.apply()
    await suspend(engine, 'acme/Parameter/a' as never, 'incident', hour)
    const before = await engine.sql(`select * from fibric.object where address = 'acme/Parameter/a'`)
    engine.write({ 'tenants/acme/p.yaml': docs(parameter('a', 2), parameter('b', 1, 'labels: {team: web}')) })
    expect(fates(await engine.apply())).toEqual({ 'acme/Parameter/a': 'suspended' })
    engine.write({ 'tenants/acme/p.yaml': parameter('b', 1, 'labels: {team: web}') })
    expect(fates(await engine.apply())).toEqual({ 'acme/Parameter/a': 'suspended' })
    engine.write({
      'tenants/acme/p.yaml': docs(parameter('c', 1, 'previously: a'), parameter('b', 1, 'labels: {team: web}')),
    })
    expect(fates(await engine.apply())).toEqual({ 'acme/Parameter/c': 'suspended' })
    expect(await engine.sql(`select * from fibric.object where address = 'acme/Parameter/a'`)).toEqual(before)
    expect((await engine.pass()).applied).toBeNull()
  })

  test('is let go by its date or by a person, and the change goes on', async () => {
    engine = await testEngine(files)
    await engine.apply()
    await suspend(engine, 'acme/Parameter/a' as never, 'incident', hour)
    engine.write({ 'tenants/acme/p.yaml': docs(parameter('a', 2), parameter('b', 1, 'labels: {team: web}')) })
    await engine.apply()
    engine.time.now += hour
    expect(fates(await engine.apply())).toEqual({ 'acme/Parameter/a': 'applied' })
    await suspend(engine, 'acme/Parameter/a' as never, 'incident', hour)
    await resume(engine, 'acme/Parameter/a' as never)
    engine.write({ 'tenants/acme/p.yaml': docs(parameter('a', 3), parameter('b', 1, 'labels: {team: web}')) })
    expect(fates(await engine.apply())).toEqual({ 'acme/Parameter/a': 'applied' })
  })

  test('that is suspended between plan and apply is not touched either', async () => {
    engine = await testEngine(files)
    await engine.apply()
    engine.write({ 'tenants/acme/p.yaml': docs(parameter('a', 2), parameter('b', 1, 'labels: {team: web}')) })
    const planned = await engine.plan()
    await suspend(engine, 'acme/Parameter/a' as never, 'incident', hour)
    const { applyPlanned } = await import('../../controller/operations/apply.ts')
    expect(fates(await applyPlanned(engine, planned, { confirmDeletes: null }))).toEqual({
      'acme/Parameter/a': 'suspended',
    })
  })

  test('holds what depends on it back', async () => {
    engine = await testEngine(files)
    await engine.apply()
    await suspend(engine, 'acme/Role/clerk' as never, 'incident', hour)
    engine.write({
      'tenants/acme/people.yaml': docs(role('clerk', 'read, write'), user('eve', 'clerk', ', superAdmin: false')),
      'tenants/acme/more.yaml': user('fay', 'clerk'),
    })
    expect(fates(await engine.apply())).toEqual({ 'acme/Role/clerk': 'suspended', 'acme/User/fay': 'withheld' })
  })
})

describe('--retry', () => {
  test('asks again for what was blocked, once, and leaves one receipt more', async () => {
    const rules = policy('config', allowAll, '{id: no-menus, match: {capability: "config.menu.*"}, decision: BLOCK}')
    engine = await testEngine({ ...open, 'tenants/_platform/policy.yaml': rules })
    await engine.apply()
    engine.write({ 'tenants/acme/menu.yaml': doc('Menu', 'main', '{title: Main, page: home}') })
    const blocked = async (): Promise<number> =>
      (await engine.sql(`select from fibric.action where state = 'blocked'`)).length
    await engine.apply()
    await engine.apply()
    expect(await blocked()).toBe(1)
    expect(fates(await engine.apply({ retry: ['acme/Menu/main' as never] }))).toEqual({ 'acme/Menu/main': 'blocked' })
    expect(await blocked()).toBe(2)
    engine.write({ 'tenants/_platform/policy.yaml': policy('config', allowAll) })
    expect(fates(await engine.apply())['acme/Menu/main']).toBe('applied')
  })
})
