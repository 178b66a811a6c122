import { afterEach, expect, test } from 'vitest'
import { applyPlanned, applySaved } from '../../controller/operations/apply.ts'
import { loadPlan, savePlan } from '../../controller/operations/plan.ts'
import { answerPlans } from '../../controller/operations/plans.ts'
import { listReceipts } from '../../controller/operations/receipts.ts'
import { fates, type TestEngine, testEngine } from '../support/engine.ts'
import { allowAll, doc, governed, open, parameter, policy, role, tenant } from './repositories.ts'

let engine: TestEngine
afterEach(() => engine.close())

const genesisState = async (): Promise<string> =>
  (await engine.sql<{ genesis_state: string }>('select genesis_state from fibric.deployment'))[0]!.genesis_state

const closings = async () =>
  (await listReceipts(engine, null, null)).filter((entry) => entry.kind === 'control.genesis.close')

test('bootstrap lets the first plan through whatever its own rules say, and closes with an entry that names who did it', async () => {
  engine = await testEngine({ ...governed, 'tenants/acme/role.yaml': role('clerk') })
  expect(new Set(Object.values(fates(await engine.apply())))).toEqual(new Set(['applied']))
  expect(await genesisState()).toBe('closed')
  const [closing, ...more] = await closings()
  expect(more).toEqual([])
  expect(closing!.body).toMatchObject({ person: 'local:test' })
})

test('after genesis the pool gates, and genesis never opens again', async () => {
  engine = await testEngine(governed)
  await engine.apply()
  engine.write({ 'tenants/acme/role.yaml': role('clerk') })
  expect(fates(await engine.apply())).toEqual({ 'acme/Role/clerk': 'held' })
  // Whatever happens to the state, `bootstrap` speaks no more.
  engine.become({})
  const emptied = await engine.plan()
  await applyPlanned(engine, emptied, { confirmDeletes: emptied.plan.changes.length })
  engine.become({ ...open, 'tenants/acme/role.yaml': role('clerk') })
  // The policy that refers to the role stands until its change is approved, and the role with it.
  expect(fates(await engine.apply())).toEqual({
    '_platform/TrustPolicy/config': 'held',
    '_platform/Role/admin': 'waiting',
    'acme/Tenant/acme': 'held',
    'acme/Role/clerk': 'withheld',
  })
  expect(await genesisState()).toBe('closed')
})

test('a plan made before genesis closed is gated by the rules in force, never by bootstrap', async () => {
  engine = await testEngine(open)
  engine.write({ 'tenants/_platform/widening.yaml': role('clerk') })
  const saved = await savePlan(engine, await engine.plan())
  engine.become(governed)
  await engine.apply()
  engine.become({ 'tenants/_platform/extra.yaml': role('clerk', 'read, write, approve') })
  await expect(
    applySaved(engine, loadPlan(engine, saved, 'first.plan'), { confirmDeletes: null }),
  ).rejects.toMatchObject({ exitCode: expect.toSatisfy((code: number) => code === 3 || code === 6) })
  expect(await engine.sql(`select address from fibric.object where address = '_platform/Role/clerk'`)).toEqual([])
})

test('a first plan whose policies are those in force is refused all the same once genesis is over', async () => {
  engine = await testEngine({ 'tenants/_platform/role.yaml': role('clerk') })
  const second = await engine.plan()
  const saved = await savePlan(engine, second)
  engine.become(governed)
  await engine.apply()
  const closed = { code: 'GENESIS_CLOSED', exitCode: 3 }
  await expect(applySaved(engine, loadPlan(engine, saved, 'a.plan'), { confirmDeletes: 0 })).rejects.toMatchObject(
    closed,
  )
  await expect(applyPlanned(engine, second, { confirmDeletes: 0 })).rejects.toMatchObject(closed)
})

test('the first plan, applied once more from its file, changes nothing and reopens nothing', async () => {
  engine = await testEngine(governed)
  const saved = loadPlan(engine, await savePlan(engine, await engine.plan()), 'first.plan')
  await applySaved(engine, saved, { confirmDeletes: null })
  expect(new Set(Object.values(fates(await applySaved(engine, saved, { confirmDeletes: null }))))).toEqual(
    new Set(['unchanged']),
  )
  expect(await closings()).toHaveLength(1)
})

test('genesis that nobody finished within a day is closed by the next plan', async () => {
  engine = await killedAtSecondBatch({ ...governed, 'tenants/acme/a.yaml': role('clerk') })
  await expect(engine.apply()).rejects.toThrow('killed')
  engine.time.now += 24 * 60 * 60 * 1000
  expect(fates(await engine.apply())).toEqual({ 'acme/Role/clerk': 'held' })
  expect(await genesisState()).toBe('closed')
})

test('a first plan that was killed half way goes on under bootstrap, and closes genesis once', async () => {
  let batches = 0
  engine = await testEngine(
    { ...governed, 'tenants/acme/role.yaml': role('clerk'), 'tenants/beta/tenant.yaml': tenant('beta') },
    {
      around: (database) => ({
        ...database,
        asWorker: (tenants, work, options) => {
          if (options?.access !== 'read only' && tenants.length > 1 && ++batches === 1) throw new Error('killed')
          return database.asWorker(tenants, work, options)
        },
      }),
    },
  )
  await expect(engine.apply()).rejects.toThrow('killed')
  expect(await genesisState()).toBe('open')
  expect(new Set(Object.values(fates(await engine.apply())))).toEqual(new Set(['applied']))
  expect(await genesisState()).toBe('closed')
  expect(await closings()).toHaveLength(1)
})

test('while genesis is open, a plan with other policies of the platform is refused, and one with the same ones is not', async () => {
  engine = await killedAtSecondBatch({ ...governed, 'tenants/acme/a.yaml': parameter('a', 1) })
  await expect(engine.apply()).rejects.toThrow('killed')
  engine.become({ ...governed, 'tenants/_platform/policy.yaml': policy('config', allowAll) })
  await expect(engine.apply()).rejects.toMatchObject({ code: 'GENESIS_OTHER_PLAN', exitCode: 3 })
  engine.become({ ...governed, 'tenants/acme/a.yaml': parameter('a', 2) })
  expect(fates(await engine.apply())).toEqual({ 'acme/Parameter/a': 'applied' })
  expect(await genesisState()).toBe('closed')
})

test('the admin key confirms a second plan with other policies', async () => {
  engine = await killedAtSecondBatch({ ...governed, 'tenants/acme/a.yaml': parameter('a', 1) })
  await expect(engine.apply()).rejects.toThrow('killed')
  engine.become({ ...governed, 'tenants/_platform/policy.yaml': policy('config', allowAll) })
  const admin = await engine.as(null)
  const planned = await engine.plan()
  await applyPlanned(admin, planned, { confirmDeletes: null })
  expect(await genesisState()).toBe('closed')
})

test('a first plan that would lock everybody out is refused with nothing written', async () => {
  engine = await testEngine({
    'tenants/_platform/policy.yaml': policy(
      'config',
      '{id: narrower, match: {capability: "config.**", change: narrows}, decision: ALLOW}',
    ),
  })
  const before = await engine.census()
  await expect(engine.apply()).rejects.toMatchObject({ code: 'BRAKE', exitCode: 8, details: { first: 'LOCKED_OUT' } })
  expect(await engine.census()).toEqual(before)
  expect(await genesisState()).toBe('awaited')
})

test('a first plan that holds what widens for more people than there are is a lock-out too', async () => {
  engine = await testEngine({
    ...open,
    'tenants/_platform/policy.yaml': policy(
      'config',
      allowAll,
      '{id: wider, match: {capability: "config.**", change: widens}, decision: ALERT, alert: {mode: hold, approvers: {role: admin, quorum: 2}}}',
    ),
    'tenants/_platform/people.yaml': `${role('admin', 'read, approve')}---\n${doc('User', 'ana', '{emails: [ana@example.com], roles: [admin]}')}`,
  })
  await expect(engine.apply()).rejects.toThrow(/wants 2 approvals of role `admin`, which 1 users hold/)
})

test('nothing of the first plan can be approved into being later: it was never held', async () => {
  engine = await testEngine(governed)
  const { outcomes } = await engine.apply()
  const ana = await engine.as('_platform/User/ana')
  await expect(answerPlans(ana, outcomes[0]!.actionId!, 'approve', null)).rejects.toMatchObject({
    code: 'STATE_CONFLICT',
  })
})

function killedAtSecondBatch(files: { [path: string]: string | null }): Promise<TestEngine> {
  let batches = 0
  return testEngine(files, {
    around: (database) => ({
      ...database,
      asWorker: (tenants, work, options) => {
        if (options?.access !== 'read only' && tenants.length > 1 && ++batches === 1) throw new Error('killed')
        return database.asWorker(tenants, work, options)
      },
    }),
  })
}
