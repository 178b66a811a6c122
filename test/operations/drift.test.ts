import { afterEach, describe, expect, test } from 'vitest'
import { applyPlanned } from '../../controller/operations/apply.ts'
import { findDrift, planHeal } from '../../controller/operations/drift.ts'
import { listReceipts } from '../../controller/operations/receipts.ts'
import { breakGlass } from '../../controller/operations/runtime-records.ts'
import { type Files, fates, summary, type TestEngine, testEngine } from '../support/engine.ts'
import { doc, open, parameter, policy, role } from './repositories.ts'

let engine: TestEngine
afterEach(() => engine.close())

const limits = policy('limits', '{id: no-menus, match: {capability: "config.menu.*"}, decision: BLOCK}')
const menu = doc('Menu', 'main', '{title: Main, page: home}')
const rules = '_platform/TrustPolicy/limits'

async function start(files: Files = {}): Promise<void> {
  engine = await testEngine({
    ...open,
    'tenants/_platform/limits.yaml': limits,
    'tenants/acme/p.yaml': parameter('p', 1),
    ...files,
  })
  await engine.apply()
}

/** What a hand with every power can do to an object's row and content. */
const hands: readonly (readonly [string, (address: string) => Promise<unknown>])[] = [
  [
    'another generation',
    (address) => engine.sql('update fibric.object set generation = generation + 7 where address = $1', [address]),
  ],
  [
    'another digest',
    (address) =>
      engine.sql(`update fibric.object set digest = 'sha256:' || repeat('0', 64) where address = $1`, [address]),
  ],
  [
    'another receipt',
    (address) => engine.sql(`update fibric.object set receipt_id = 'rc_forged' where address = $1`, [address]),
  ],
  ['a tombstone', (address) => engine.sql('update fibric.object set digest = null where address = $1', [address])],
  ['no row', (address) => engine.sql('delete from fibric.object where address = $1', [address])],
  ['another kind', (address) => engine.sql(`update fibric.object set kind = 'Menu' where address = $1`, [address])],
  [
    'no content',
    (address) =>
      engine.sql(
        'delete from fibric.content c using fibric.object o where c.digest = o.digest and c.tenant_id = o.tenant_id and o.address = $1',
        [address],
      ),
  ],
  [
    'other content',
    async (address) => {
      await engine.sql('alter table fibric.content drop constraint content_hashes')
      await engine.sql(
        `update fibric.content c set bytes = convert_to('{"kind":"TrustPolicy","metadata":{"name":"limits"},"spec":{"rules":[{"decision":"ALLOW","id":"x","match":{"capability":"config.**"}}]}}', 'UTF8')
           from fibric.object o where c.digest = o.digest and c.tenant_id = o.tenant_id and o.address = $1`,
        [address],
      )
    },
  ],
]

describe('a policy of the platform changed by hand', () => {
  test.each(hands)('to have %s changes nothing that runs', async (_name, change) => {
    await start()
    await change(rules)
    engine.time.now += 1000
    engine.write({ 'tenants/acme/menu.yaml': menu })
    const applied = await engine.apply({ scope: { slug: 'acme' as never } })
    expect(fates(applied)).toEqual({ 'acme/Menu/main': 'blocked' })
  })

  test.each(hands)(
    'to have %s is found, and healed by the next pass without asking, with a receipt that says heal',
    async (_name, change) => {
      await start()
      await change(rules)
      engine.time.now += 1000
      expect((await findDrift(engine, null)).map(({ address }) => address)).toEqual([rules])
      const pass = await engine.pass()
      expect(fates(pass.applied!)).toEqual({ [rules]: 'applied' })
      expect(await findDrift(engine, null)).toEqual([])
      const [newest] = (await listReceipts(engine, '_platform', null)).filter(({ kind }) => kind === 'receipt')
      expect(newest!.body).toMatchObject({
        capability: 'config.trustpolicy.update',
        change: { change: 'heal', authority: { class: 'neutral' } },
      })
      expect((await engine.plan()).plan.changes).toEqual([])
      const [row] = await engine.sql<{ kind: string; digest: string }>(
        'select kind, digest from fibric.object where address = $1',
        [rules],
      )
      expect(row!.kind).toBe('TrustPolicy')
      engine.write({ 'tenants/acme/menu.yaml': menu })
      expect(fates(await engine.apply())).toEqual({ 'acme/Menu/main': 'blocked' })
    },
  )
})

describe('an object of a tenant changed by hand', () => {
  test.each(hands)(
    'to have %s is shown and left alone by the pass, and healed when a person asks',
    async (name, change) => {
      await start()
      await change('acme/Parameter/p')
      expect((await findDrift(engine, 'acme')).map(({ address }) => address)).toEqual(['acme/Parameter/p'])
      const before = await engine.census()
      if (name !== 'no row') {
        const { plan } = await engine.plan()
        expect(plan.changes).toEqual([])
        expect(plan.drifted.map(({ address }) => address)).toEqual(['acme/Parameter/p'])
        expect((await engine.pass()).applied).toBeNull()
        expect(await engine.census()).toEqual(before)
      }
      const planned = await planHeal(engine, engine.directory, {} as never)
      expect(summary(planned)).toEqual(['! acme/Parameter/p'])
      expect(fates(await applyPlanned(engine, planned, { confirmDeletes: null }))).toEqual({
        'acme/Parameter/p': 'applied',
      })
      expect(await findDrift(engine, null)).toEqual([])
      expect(summary(await engine.plan())).toEqual([])
    },
  )

  test('with a row that no receipt put there changes nothing and is found', async () => {
    await start()
    await engine.sql(
      `insert into fibric.object (tenant_id, address, object_id, kind, generation, digest, receipt_id, labels, refs, source, deletion_protection, created_at, applied_at)
       select tenant_id, 'acme/TrustPolicy/forged', 'ob_forged', 'TrustPolicy', 1, digest, receipt_id, labels, refs, source, false, created_at, applied_at
         from fibric.object where address = 'acme/Parameter/p'`,
    )
    expect((await findDrift(engine, null)).map(({ address }) => address)).toEqual(['acme/TrustPolicy/forged'])
    expect(summary(await engine.plan())).toEqual([])
  })
})

test('content of a policy that is gone closes its domain until an apply brings it back', async () => {
  await start({
    'tenants/acme/own.yaml': policy('own', '{id: calm, match: {capability: config.menu.delete}, decision: BLOCK}'),
  })
  await engine.sql(
    `delete from fibric.content c using fibric.object o where c.digest = o.digest and o.address = 'acme/TrustPolicy/own' and c.tenant_id = o.tenant_id`,
  )
  engine.write({ 'tenants/acme/role.yaml': role('clerk') })
  expect(fates(await engine.apply({ scope: { labels: {} } }))).toEqual({ 'acme/Role/clerk': 'blocked' })
  const planned = await planHeal(engine, engine.directory, {} as never)
  expect(fates(await applyPlanned(engine, planned, { confirmDeletes: null }))).toEqual({
    'acme/TrustPolicy/own': 'applied',
  })
  expect(fates(await engine.apply())['acme/Role/clerk']).toBe('applied')
})

test('break-glass is the way out when the rules of the platform cannot be read and nobody holds their content', async () => {
  await start()
  await engine.sql(`delete from fibric.content where kind = 'TrustPolicy'`)
  const other = policy('limits', '{id: no-roles, match: {capability: "config.role.*"}, decision: BLOCK}')
  engine.write({ 'tenants/_platform/limits.yaml': other })
  expect(new Set(Object.values(fates(await engine.apply())))).toEqual(new Set(['blocked']))
  await breakGlass(engine, 'content lost', 3_600_000)
  expect(new Set(Object.values(fates(await engine.apply())))).toEqual(new Set(['applied']))
  expect(await findDrift(engine, null)).toEqual([])
})

test('a heal keeps the id of the object and counts a generation more', async () => {
  await start()
  const [before] = await engine.sql<{ object_id: string; generation: number }>(
    'select object_id, generation from fibric.object where address = $1',
    [rules],
  )
  await engine.sql('update fibric.object set generation = 40 where address = $1', [rules])
  await engine.pass()
  const [after] = await engine.sql<{ object_id: string; generation: number }>(
    'select object_id, generation from fibric.object where address = $1',
    [rules],
  )
  expect(after).toEqual({ object_id: before!.object_id, generation: before!.generation + 1 })
})

test('--refresh-only looks at drift and changes nothing', async () => {
  await start()
  await engine.sql('update fibric.object set generation = 40')
  engine.write({ 'tenants/acme/p.yaml': parameter('p', 2) })
  const { plan } = await engine.plan({ refreshOnly: true })
  expect(plan.changes).toEqual([])
  expect(plan.drifted.map(({ address }) => address)).toEqual(expect.arrayContaining(['acme/Parameter/p']))
})

test('an edit heals what it replaces', async () => {
  await start()
  await engine.sql(`update fibric.object set digest = null where address = 'acme/Parameter/p'`)
  engine.write({ 'tenants/acme/p.yaml': parameter('p', 2) })
  expect(fates(await engine.apply())).toEqual({ 'acme/Parameter/p': 'applied' })
  expect(await findDrift(engine, null)).toEqual([])
})
