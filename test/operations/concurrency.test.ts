import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, expect, test } from 'vitest'
import type { TenantId } from '../../controller/domain/ids.ts'
import { rootHash } from '../../controller/domain/merkle.ts'
import type { Engine } from '../../controller/engine.ts'
import { sequenceLedger } from '../../controller/ledger/sequence.ts'
import { applyPlanned } from '../../controller/operations/apply.ts'
import { type TestEngine, testEngine } from '../support/engine.ts'
import { naiveRoot } from './naive-tree.ts'
import { allowAll, docs, governed, open, parameter, policy, role, user } from './repositories.ts'

let engine: TestEngine
afterEach(() => engine.close())

/** Every receipt of a change of these addresses, once a change: what must hold whoever raced whom. */
async function expectOneReceiptAChange(): Promise<void> {
  const twice = await engine.sql(
    `select address, generation from fibric.ledger_entry where address is not null group by tenant_id, address, generation having count(*) > 1`,
  )
  expect(twice).toEqual([])
  const open = await engine.sql(
    `select from fibric.action where state not in ('held', 'planned') and receipt_id is null`,
  )
  expect(open).toEqual([])
  const orphans = await engine.sql(
    `select from fibric.action a where a.receipt_id is not null
       and not exists (select from fibric.ledger_entry e where e.tenant_id = a.tenant_id and e.entry_id = a.receipt_id)`,
  )
  expect(orphans).toEqual([])
}

const settings = 'tenants/acme/settings.yaml'

test('the same plan applied by several at once is carried out once', async () => {
  engine = await testEngine(open)
  await engine.apply()
  engine.write({ [settings]: docs(...Array.from({ length: 20 }, (_, index) => parameter(`p${index}`, index))) })
  const plans = await Promise.all([1, 2, 3, 4].map(() => engine.plan()))
  const results = await Promise.allSettled(plans.map((each) => applyPlanned(engine, each, { confirmDeletes: null })))
  for (const result of results)
    if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'PLAN_STALE' })
  expect(results.some(({ status }) => status === 'fulfilled')).toBe(true)
  await expectOneReceiptAChange()
  const rows = await engine.sql<{ generation: number }>(`select generation from fibric.object where kind = 'Parameter'`)
  expect(rows).toEqual(Array(20).fill({ generation: 1 }))
  expect((await engine.plan()).plan.changes).toEqual([])
})

test('applies that make the same things at once wait for one another in one order, and never in a circle', async () => {
  engine = await testEngine(open)
  await engine.apply()
  for (let round = 0; round < 8; round++) {
    const some = docs(...Array.from({ length: 20 }, (_, index) => parameter(`r${round}-p${index}`, index)))
    engine.write({ [`tenants/acme/round-${round}.yaml`]: some })
    const plans = await Promise.all([1, 2, 3, 4].map(() => engine.plan()))
    const results = await Promise.allSettled(plans.map((each) => applyPlanned(engine, each, { confirmDeletes: null })))
    for (const result of results)
      if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'PLAN_STALE' })
  }
  // Backends that go back to rest say what they counted.
  await sleep(1200)
  const counted = await engine.sql(`select deadlocks::integer from pg_stat_database where datname = current_database()`)
  expect(counted).toEqual([{ deadlocks: 0 }])
})

test('plans that overlap with other content: one wins, the other is stale with exit code 6, nothing is half applied', async () => {
  engine = await testEngine({ ...open, [settings]: parameter('p', 0) })
  await engine.apply()
  for (let round = 1; round <= 5; round++) {
    const plans = []
    for (const value of [round * 10, round * 10 + 1]) {
      engine.write({ [settings]: parameter('p', value) })
      plans.push(await engine.plan())
    }
    const results = await Promise.allSettled(plans.map((each) => applyPlanned(engine, each, { confirmDeletes: null })))
    const lost = results.filter((result) => result.status === 'rejected')
    expect(lost).toHaveLength(1)
    expect(lost[0]!.reason).toMatchObject({ code: 'PLAN_STALE', exitCode: 6 })
  }
  await expectOneReceiptAChange()
})

test('held and blocked changes proposed by several at once are asked once', async () => {
  const rules = governed['tenants/_platform/policy.yaml']!
  engine = await testEngine({
    ...governed,
    'tenants/_platform/policy.yaml': `${rules.trimEnd()}\n    - {id: never, match: {capability: config.parameter.create}, decision: BLOCK}\n`,
  })
  await engine.apply()
  engine.write({ [settings]: docs(role('clerk'), user('eve', 'clerk'), parameter('p', 1)) })
  const plans = await Promise.all([1, 2, 3].map(() => engine.plan()))
  const results = await Promise.allSettled(plans.map((each) => applyPlanned(engine, each, { confirmDeletes: null })))
  expect(results.filter(({ status }) => status === 'rejected')).toEqual([])
  const states = await engine.sql<{ entity_key: string; state: string }>(
    `select entity_key, state from fibric.action where state <> 'applied' order by entity_key`,
  )
  expect(states).toEqual([
    { entity_key: 'acme/Parameter/p', state: 'blocked' },
    { entity_key: 'acme/Role/clerk', state: 'held' },
    { entity_key: 'acme/User/eve', state: 'planned' },
  ])
})

test('the first plan applied by two at once makes one deployment', async () => {
  engine = await testEngine(governed)
  const plans = await Promise.all([engine.plan(), engine.plan()])
  const results = await Promise.allSettled(plans.map((each) => applyPlanned(engine, each, { confirmDeletes: null })))
  for (const result of results) {
    if (result.status === 'rejected')
      expect(['PLAN_STALE', 'GENESIS_CLOSED', 'STATE_CONFLICT']).toContain(result.reason.code)
  }
  await engine.apply()
  expect((await engine.plan()).plan.changes).toEqual([])
  await expectOneReceiptAChange()
  expect(await engine.sql(`select from fibric.domain where slug = 'acme'`)).toHaveLength(1)
  expect(await engine.sql(`select from fibric.ledger_entry where kind = 'control.genesis.close'`)).toHaveLength(1)
})

test('rules that move while changes are gated gate what comes after them: nothing is applied under rules that are gone', async () => {
  engine = await testEngine(open)
  await engine.apply()
  engine.write({ [settings]: docs(...Array.from({ length: 40 }, (_, index) => parameter(`p${index}`, index))) })
  const many = await engine.plan()
  engine.write({
    [settings]: null,
    'tenants/_platform/policy.yaml': policy(
      'config',
      allowAll,
      '{id: no-settings, match: {capability: "config.parameter.*"}, decision: BLOCK}',
    ),
  })
  const rules = await engine.plan()
  await Promise.allSettled([many, rules].map((each) => applyPlanned(engine, each, { confirmDeletes: null })))
  // Whichever came first: the receipts of one batch are gated by one rule set, in the order of the ledger.
  const rows = await engine.sql<{ state: string; policy_digest: string }>(
    `select distinct state, policy_digest from fibric.action where capability = 'config.parameter.create'`,
  )
  expect(rows).toHaveLength(1)
  await expectOneReceiptAChange()
})

test('a rate in a rule holds under any concurrency', async () => {
  const limited = policy(
    'config',
    '{id: some, match: {capability: "config.**"}, decision: ALLOW}',
    '{id: five, match: {capability: config.parameter.create}, require: {rate: {max: 5, per: 1h, by: tenant}}}',
  )
  engine = await testEngine({ ...open, 'tenants/_platform/policy.yaml': limited })
  await engine.apply()
  const plans = []
  for (const part of [0, 1, 2]) {
    engine.write({ [settings]: docs(...Array.from({ length: 4 }, (_, index) => parameter(`p${part}${index}`, index))) })
    plans.push(await engine.plan())
  }
  await Promise.all(plans.map((each) => applyPlanned(engine, each, { confirmDeletes: null })))
  const applied = await engine.sql(
    `select from fibric.action where capability = 'config.parameter.create' and state = 'applied'`,
  )
  expect(applied).toHaveLength(5)
})

test('sequencers at once give every entry one dense position, in the order of one tree', async () => {
  engine = await testEngine(open)
  await engine.apply()
  const tenant = (
    await engine.sql<{ tenant_id: TenantId }>(`select tenant_id from fibric.domain where slug = 'acme'`)
  )[0]!.tenant_id
  await engine.sql(`delete from fibric.ledger_position where tenant_id = $1`, [tenant])
  await engine.sql(`delete from fibric.ledger_head where tenant_id = $1`, [tenant])
  const writers: Promise<unknown>[] = []
  for (const part of [0, 1, 2]) {
    engine.write({ [settings]: docs(...Array.from({ length: 8 }, (_, index) => parameter(`p${part}${index}`, index))) })
    writers.push(
      applyPlanned(engine as Engine, await engine.plan({ scope: { slug: 'acme' as never } }), { confirmDeletes: 8 }),
    )
    writers.push(sequenceLedger(engine.database, tenant, engine.clock().toISOString()))
  }
  await Promise.allSettled(writers)
  await Promise.all([1, 2, 3].map(() => sequenceLedger(engine.database, tenant, engine.clock().toISOString())))
  const entries = await engine.sql<{ leaf: Buffer; position: number | null }>(
    `select e.leaf, p.position from fibric.ledger_entry e left join fibric.ledger_position p using (tenant_id, entry_id) where tenant_id = $1 order by p.position`,
    [tenant],
  )
  expect(entries.map(({ position }) => position)).toEqual(entries.map((_, index) => index))
  const [head] = await engine.sql<{ size: number; root: Buffer; frontier: Buffer[] }>(
    `select size, root, frontier from fibric.ledger_head where tenant_id = $1`,
    [tenant],
  )
  expect(head!.size).toBe(entries.length)
  expect(head!.root.toString('hex')).toBe(naiveRoot(entries.map(({ leaf }) => leaf)).toString('hex'))
  expect(rootHash({ size: head!.size, frontier: head!.frontier })).toEqual(head!.root)
})
