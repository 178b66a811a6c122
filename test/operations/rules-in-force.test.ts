import { cpSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import type { BacktestReport } from '../../controller/domain/backtest.ts'
import type { Engine } from '../../controller/engine.ts'
import { answerPlans } from '../../controller/operations/plans.ts'
import { fates, summary, type TestEngine, testEngine } from '../support/engine.ts'
import { root } from '../tenants/repository.ts'
import { allowAll, doc, docs, governed, heldWidening, open, parameter, policy, role } from './repositories.ts'

let engine: TestEngine
afterEach(() => engine.close())

const backtestOf = async (): Promise<BacktestReport> => (await engine.plan()).plan.backtest as unknown as BacktestReport

describe('the rules that gate a change', () => {
  test('are those in force before it: a rule does not allow what comes in its own commit and goes first', async () => {
    engine = await testEngine({
      ...open,
      'tenants/_platform/policy.yaml': policy(
        'config',
        '{id: rules, match: {capability: "config.trustpolicy.*"}, decision: ALLOW}',
        '{id: domains, match: {capability: "config.tenant.*"}, decision: ALLOW}',
      ),
    })
    await engine.apply()
    // The policy waits for nobody, so it is in force for what the same plan does after it.
    engine.write({
      'tenants/_platform/more.yaml': policy(
        'more',
        '{id: settings, match: {capability: "config.parameter.*"}, decision: ALLOW}',
      ),
      'tenants/acme/p.yaml': parameter('p', 1),
    })
    expect(fates(await engine.apply())).toEqual({
      '_platform/TrustPolicy/more': 'applied',
      'acme/Parameter/p': 'applied',
    })
  })

  test('a policy that is held allows nothing of its own commit', async () => {
    const rules = heldWidening.map((rule) =>
      rule.replace('"config.**", change: widens', '"config.trustpolicy.*", change: widens'),
    )
    const tenants = '{id: domains, match: {capability: "config.tenant.*"}, decision: ALLOW}'
    engine = await testEngine({ ...governed, 'tenants/_platform/policy.yaml': policy('config', ...rules, tenants) })
    await engine.apply()
    const roles = '{id: roles, match: {capability: "config.role.*"}, decision: ALLOW}'
    engine.write({
      'tenants/_platform/policy.yaml': policy('config', ...rules, tenants, roles),
      'tenants/acme/role.yaml': role('clerk'),
    })
    const applied = await engine.apply()
    expect(fates(applied)).toEqual({ '_platform/TrustPolicy/config': 'held', 'acme/Role/clerk': 'blocked' })
    // Once it is in force, the same wish is asked anew: the rules have moved.
    const id = applied.outcomes[0]!.actionId!
    for (const name of ['ana', 'ben']) await answerPlans(await engine.as(`_platform/User/${name}`), id, 'approve', null)
    expect(fates(await engine.apply())).toEqual({ 'acme/Role/clerk': 'applied' })
  })

  test('a policy that forbids, applied in one commit with what it forbids, forbids it', async () => {
    engine = await testEngine(open)
    await engine.apply()
    engine.write({
      'tenants/_platform/limits.yaml': policy(
        'limits',
        '{id: no-menus, match: {capability: "config.menu.*"}, decision: BLOCK}',
      ),
      'tenants/acme/menu.yaml': doc('Menu', 'main', '{title: Main, page: home}'),
    })
    expect(fates(await engine.apply())).toEqual({
      '_platform/TrustPolicy/limits': 'applied',
      'acme/Menu/main': 'blocked',
    })
  })

  test('a deleted prohibition still forbids what comes before its deletion', async () => {
    const limits = policy('limits', '{id: no-menus, match: {capability: "config.menu.*"}, decision: BLOCK}')
    engine = await testEngine({
      ...open,
      'tenants/_platform/limits.yaml': limits,
      'tenants/_platform/r.yaml': docs(...['a', 'b', 'c', 'd', 'e', 'f'].map((name) => parameter(name, 1))),
    })
    await engine.apply()
    engine.write({
      'tenants/_platform/limits.yaml': null,
      'tenants/acme/menu.yaml': doc('Menu', 'main', '{title: Main, page: home}'),
    })
    expect(fates(await engine.apply())).toEqual({
      'acme/Menu/main': 'blocked',
      '_platform/TrustPolicy/limits': 'applied',
    })
  })
})

describe('under the rules that this repository ships', () => {
  const roles = 'tenants/city-of-x/people/more.yaml'

  async function start(): Promise<Record<'ines' | 'tove' | 'jonas', Engine>> {
    engine = await testEngine({}, { now: '2026-11-25T11:00:00Z' })
    for (const name of ['fibric.yaml', 'tenants'])
      cpSync(join(root, name), join(engine.directory, name), { recursive: true })
    const first = await engine.apply()
    expect(new Set(Object.values(fates(first)))).toEqual(new Set(['applied']))
    expect(summary(await engine.plan())).toEqual([])
    const as = (name: string): Promise<Engine> => engine.as(`_platform/User/${name}`)
    return { ines: await as('ines'), tove: await as('tove'), jonas: await as('jonas') }
  }

  test('what widens waits for two of three, what narrows goes straight through', async () => {
    const { ines, tove } = await start()
    engine.write({ [roles]: role('night-shift', 'read, write') })
    const held = await engine.apply()
    expect(fates(held)).toEqual({ 'city-of-x/Role/night-shift': 'held' })
    const id = held.outcomes[0]!.actionId!
    expect((await answerPlans(ines, id, 'approve', null))[0]!.outcome).toBe('held')
    expect((await answerPlans(tove, id, 'approve', null))[0]!.outcome).toBe('applied')
    engine.write({ [roles]: role('night-shift', 'read') })
    expect(fates(await engine.apply())).toEqual({ 'city-of-x/Role/night-shift': 'applied' })
    engine.write({ [roles]: null })
    expect(fates(await engine.apply())).toEqual({ 'city-of-x/Role/night-shift': 'applied' })
  })

  test('replaying the rules in force over the decisions they made flips nothing', async () => {
    await start()
    engine.write({ [roles]: role('night-shift', 'read, write'), 'tenants/acme/p.yaml': parameter('p', 1) })
    await engine.apply()
    engine.write({
      'tenants/_platform/policies/more.yaml': policy(
        'more',
        '{id: nothing, match: {capability: nobody.asks}, decision: BLOCK}',
      ),
    })
    expect(await backtestOf()).toMatchObject({ looser: 0, stricter: 0, differs_from_record: 0, flips: [] })
    expect((await backtestOf()).replayed).toBeGreaterThan(0)
  })
})

describe('the backtest', () => {
  test('counts and lists what a proposed BLOCK would have refused, and what a proposed ALLOW would have let through', async () => {
    const limits = '{id: no-menus, match: {capability: "config.menu.*"}, decision: BLOCK}'
    engine = await testEngine({ ...open, 'tenants/_platform/policy.yaml': policy('config', allowAll, limits) })
    await engine.apply()
    engine.write({
      'tenants/acme/p.yaml': docs(parameter('a', 1), parameter('b', 1), role('clerk')),
      'tenants/acme/menu.yaml': doc('Menu', 'main', '{title: Main, page: home}'),
    })
    await engine.apply()
    engine.write({
      'tenants/_platform/policy.yaml': policy(
        'config',
        allowAll,
        limits,
        '{id: no-settings, match: {capability: "config.parameter.*"}, decision: BLOCK}',
      ),
    })
    expect(await backtestOf()).toMatchObject({ replayed: 4, stricter: 2, looser: 0, differs_from_record: 0 })
    engine.write({ 'tenants/_platform/policy.yaml': policy('config', allowAll) })
    const report = await backtestOf()
    expect(report).toMatchObject({ replayed: 4, stricter: 0, looser: 1, differs_from_record: 0 })
    expect(report.flips).toHaveLength(1)
  })

  test('is made only where rules move, and forgets what is older than a week', async () => {
    engine = await testEngine(open)
    await engine.apply()
    engine.write({ 'tenants/acme/p.yaml': parameter('a', 1) })
    expect((await engine.plan()).plan.backtest).toBeNull()
    await engine.apply()
    engine.time.now += 7 * 24 * 3_600_000 + 1000
    engine.write({
      'tenants/_platform/policy.yaml': policy(
        'config',
        allowAll,
        '{id: no-settings, match: {capability: "config.parameter.*"}, decision: BLOCK}',
      ),
    })
    expect(await backtestOf()).toMatchObject({ replayed: 0, stricter: 0 })
  })
})
