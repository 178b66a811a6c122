import { afterEach, describe, expect, test } from 'vitest'
import type { Address } from '../../controller/domain/ids.ts'
import { applyPlanned, applySaved } from '../../controller/operations/apply.ts'
import { loadPlan, savePlan } from '../../controller/operations/plan.ts'
import { answerPlans } from '../../controller/operations/plans.ts'
import { breakGlass } from '../../controller/operations/runtime-records.ts'
import { type Files, fates, type TestEngine, testEngine } from '../support/engine.ts'
import { allowAll, doc, docs, governed, open, parameter, policy, role, tenant, user } from './repositories.ts'

let engine: TestEngine
afterEach(() => engine.close())

const settings = 'tenants/acme/settings.yaml'
const parameters = (count: number): string =>
  docs(...Array.from({ length: count }, (_, index) => parameter(`p${index}`, index)))

async function start(files: Files): Promise<void> {
  engine = await testEngine({ ...open, ...files })
  await engine.apply()
}

/** The plan at hand is refused with this brake, with exit code 8, and nothing is written. */
async function refused(first: string, message?: RegExp): Promise<void> {
  const before = await engine.census()
  const error = await engine.apply().catch((thrown) => thrown)
  expect(error).toMatchObject({
    code: 'BRAKE',
    exitCode: 8,
    details: { brakes: expect.arrayContaining([expect.objectContaining({ code: first })]) },
  })
  if (message) expect(error.message).toMatch(message)
  expect(await engine.census()).toEqual(before)
}

describe('many deletions at once', () => {
  test('are refused over a quarter of a domain, naming domain, count and share', async () => {
    await start({ [settings]: parameters(9) })
    engine.write({ [settings]: parameters(7) })
    // Two of ten objects (the Tenant is one): a fifth.
    expect(Object.values(fates(await engine.apply())).sort()).toEqual(['applied', 'applied'])
    engine.write({ [settings]: parameters(6) })
    await refused('MASS_DELETE', /3 of 10 objects of `acme`.*30 %, over maxDeletePercent 25/)
  })

  test('count with those of the last hour, and no longer after it', async () => {
    await start({ [settings]: parameters(9) })
    engine.write({ [settings]: parameters(7) })
    await engine.apply()
    engine.write({ [settings]: parameters(6) })
    engine.time.now += 3_600_000
    await engine.apply()
    expect((await engine.plan()).plan.changes).toEqual([])
  })

  test('are refused over a quarter of one kind, spread over as many domains as there are', async () => {
    const slugs = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i']
    const files = Object.fromEntries(
      slugs.map((slug) => [
        `tenants/${slug}/all.yaml`,
        docs(tenant(slug), parameter('p', 1), ...[1, 2, 3].map((n) => role(`r${n}`))),
      ]),
    )
    await start(files)
    const fewer = slugs
      .slice(0, 3)
      .map((slug) => [`tenants/${slug}/all.yaml`, docs(tenant(slug), ...[1, 2, 3].map((n) => role(`r${n}`)))])
    engine.write(Object.fromEntries(fewer))
    await refused('MASS_DELETE', /3 of 9 objects of kind `Parameter`/)
  })

  test('are no brake where there is little to delete from', async () => {
    await start({ [settings]: parameters(6) })
    engine.write({ [settings]: parameters(1) })
    expect(Object.values(fates(await engine.apply()))).toEqual(Array(5).fill('applied'))
  })

  test('are confirmed by the exact count alone', async () => {
    await start({ [settings]: parameters(9) })
    engine.write({ [settings]: parameters(5) })
    for (const count of [0, 3, 5]) {
      await expect(engine.apply({}, count)).rejects.toMatchObject({
        exitCode: 8,
        hint: `the plan deletes 4, not ${count}`,
      })
    }
    expect(Object.values(fates(await engine.apply({}, 4)))).toEqual(Array(4).fill('applied'))
  })

  test('are judged by the limits that are applied, not by those of the same commit', async () => {
    const limits = (percent: number): string =>
      doc('Deployment', 'main', `{brakes: {maxDeletePercent: ${percent}, minObjects: 8}}`)
    await start({ 'fibric.yaml': limits(25), [settings]: parameters(9) })
    engine.write({ 'fibric.yaml': limits(100), [settings]: parameters(3) })
    await refused('MASS_DELETE')
    engine.write({ [settings]: parameters(9) })
    await engine.apply()
    engine.write({ [settings]: parameters(3) })
    expect(Object.values(fates(await engine.apply()))).toEqual(Array(6).fill('applied'))
  })

  test('hold their own domain back in the loop, and no other', async () => {
    await start({ [settings]: parameters(9), 'tenants/beta/tenant.yaml': tenant('beta') })
    engine.write({ [settings]: parameters(2), 'tenants/beta/p.yaml': parameter('p', 1) })
    const pass = await engine.pass()
    expect(pass.brakes.map(({ code, slug }) => [code, slug])).toContainEqual(['MASS_DELETE', 'acme'])
    expect(pass.applied === null ? {} : fates(pass.applied)).toEqual(
      pass.brakes.some(({ slug }) => slug === null) ? {} : { 'beta/Parameter/p': 'applied' },
    )
  })
})

describe('an empty desired set', () => {
  test('is refused however little is applied', async () => {
    await start({})
    engine.become({ 'README.md': 'nothing here\n' })
    await refused('EMPTY_DESIRED')
  })

  test('is refused from a saved plan too', async () => {
    await start({})
    engine.become({ 'README.md': 'nothing here\n' })
    const saved = loadPlan(engine, await savePlan(engine, await engine.plan()), 'one.plan')
    await expect(applySaved(engine, saved, { confirmDeletes: null })).rejects.toMatchObject({
      code: 'BRAKE',
      exitCode: 8,
    })
  })

  test('of an empty deployment is no brake', async () => {
    engine = await testEngine({ 'README.md': 'nothing here\n' })
    expect((await engine.apply()).outcomes).toEqual([])
  })
})

describe('a protected object', () => {
  const guarded = doc('Tenant', 'beta', '{displayName: beta}')

  test('is not deleted, and no confirmation helps', async () => {
    await start({ 'tenants/beta/tenant.yaml': guarded })
    engine.write({ 'tenants/beta/tenant.yaml': null })
    await refused('PROTECTED', /`beta\/Tenant\/beta` is protected/)
    await expect(engine.apply({}, 1)).rejects.toMatchObject({ exitCode: 8 })
  })

  test('is not deleted by the commit that takes the protection off, only after it', async () => {
    await start({ 'tenants/beta/tenant.yaml': guarded })
    engine.write({ 'tenants/beta/tenant.yaml': tenant('beta') })
    await engine.apply()
    engine.write({ 'tenants/beta/tenant.yaml': null })
    expect(fates(await engine.apply())).toEqual({ 'beta/Tenant/beta': 'applied' })
  })

  test('is not deleted under break-glass, by --destroy, by a target or by the loop', async () => {
    await start({ 'tenants/beta/tenant.yaml': guarded })
    engine.write({ 'tenants/beta/tenant.yaml': null })
    await breakGlass(engine, 'testing', 3_600_000)
    for (const count of [null, 1, 2, 3]) {
      await expect(engine.apply({ destroy: true, scope: { slug: 'beta' as never } }, count)).rejects.toMatchObject({
        exitCode: 8,
      })
      await expect(engine.apply({ scope: { targets: ['beta/Tenant/beta' as never] } }, count)).rejects.toMatchObject({
        exitCode: 8,
      })
    }
    expect((await engine.pass()).brakes.map(({ code }) => code)).toContain('PROTECTED')
    expect(
      await engine.sql(`select from fibric.object where address = 'beta/Tenant/beta' and digest is not null`),
    ).toHaveLength(1)
  })

  test('is not deleted though its row was changed by hand to say so', async () => {
    await start({ 'tenants/beta/tenant.yaml': guarded })
    await engine.sql(`update fibric.object set deletion_protection = false where address = 'beta/Tenant/beta'`)
    engine.write({ 'tenants/beta/tenant.yaml': null })
    await expect(engine.apply({}, 1)).rejects.toMatchObject({ exitCode: 8 })
  })
})

describe('people', () => {
  const benUser = '_platform/User/ben' as Address
  const cleo = '_platform/User/cleo' as Address
  const admins = (...names: readonly string[]): string =>
    docs(role('admin', 'read, approve'), ...names.map((name) => user(name)))

  test('the removal of the last approver of a rule is refused, whichever way it is taken from them', async () => {
    engine = await testEngine({
      ...governed,
      'tenants/acme/people.yaml': docs(role('boss', 'read, approve'), user('fay', 'boss'), user('gus', 'boss')),
      'tenants/acme/policy.yaml': policy(
        'own',
        '{id: ask, match: {capability: refund.issue}, decision: ALERT, alert: {mode: hold, approvers: {role: boss, quorum: 2}}}',
      ),
    })
    await engine.apply()
    engine.write({ 'tenants/acme/people.yaml': docs(role('boss', 'read, approve'), user('fay', 'boss')) })
    await refused(
      'LAST_APPROVER',
      /rule `ask` of `acme` wants 2 approvals of role `boss`, which 1 users would still hold/,
    )
    engine.write({
      'tenants/acme/people.yaml': docs(role('boss', 'read, approve'), user('fay', 'boss'), user('gus', '')),
    })
    await refused('LAST_APPROVER')
  })

  test('the removal of the last who could change the rules of the platform is a lock-out', async () => {
    engine = await testEngine(governed)
    await engine.apply()
    engine.write({ 'tenants/_platform/people.yaml': admins('ana') })
    await refused('LOCKED_OUT', /wants 2 approvals of role `admin`, which 1 users hold/)
  })

  test('two plans that each leave one who could approve do not together leave nobody', async () => {
    engine = await testEngine({ ...governed, 'tenants/_platform/people.yaml': admins('ana', 'ben', 'cleo') })
    await engine.apply()
    engine.write({ 'tenants/_platform/people.yaml': admins('ana', 'ben') })
    const one = await engine.plan()
    engine.write({ 'tenants/_platform/people.yaml': admins('ana', 'cleo') })
    const other = await engine.plan()
    await applyPlanned(engine, one, { confirmDeletes: null })
    await expect(applyPlanned(engine, other, { confirmDeletes: null })).rejects.toMatchObject({
      code: 'BRAKE',
      details: { first: 'LOCKED_OUT' },
    })
    const left = await engine.sql(`select from fibric.object where kind = 'User' and digest is not null`)
    expect(left).toHaveLength(2)
  })

  test('a removal that was held is refused when its approval comes after others went', async () => {
    const everythingHeld = policy(
      'config',
      '{id: held, match: {capability: "config.**"}, decision: ALERT, alert: {mode: hold, approvers: {role: admin, quorum: 2}}}',
    )
    engine = await testEngine({
      ...governed,
      'tenants/_platform/policy.yaml': everythingHeld,
      'tenants/_platform/people.yaml': admins('ana', 'ben', 'cleo'),
    })
    await engine.apply()
    const [ana, ben] = await Promise.all(['ana', 'ben'].map((name) => engine.as(`_platform/User/${name}`)))
    const held: string[] = []
    engine.write({ 'tenants/_platform/people.yaml': admins('ana') })
    for (const target of [cleo, benUser]) {
      const { outcomes } = await engine.apply({ scope: { targets: [target] } })
      held.push(outcomes[0]!.actionId!)
    }
    for (const id of held) await answerPlans(ana!, id, 'approve', null)
    expect((await answerPlans(ben!, held[0]!, 'approve', null))[0]!.outcome).toBe('applied')
    await expect(answerPlans(ben!, held[1]!, 'approve', null)).rejects.toMatchObject({ code: 'BRAKE' })
    expect(
      await engine.sql(`select from fibric.object where address = $1 and digest is not null`, [benUser]),
    ).toHaveLength(1)
    // It waits on, and keeps nobody from proposing something else.
    engine.write({ 'tenants/acme/p.yaml': parameter('p', 1) })
    expect((await engine.apply({ scope: { targets: ['acme/Parameter/p' as Address] } })).outcomes[0]!.outcome).toBe(
      'held',
    )
  })

  test('the removal of the last super administrator is refused', async () => {
    engine = await testEngine({
      ...governed,
      'tenants/_platform/root.yaml': user('root', 'admin', ', superAdmin: true'),
    })
    await engine.apply()
    engine.write({ 'tenants/_platform/root.yaml': user('root') })
    await refused('LAST_ADMIN')
  })

  test('a renamed approver is no removal', async () => {
    engine = await testEngine(governed)
    await engine.apply()
    const renamed = governed['tenants/_platform/people.yaml']!.replace(
      'metadata: {name: ana}',
      'metadata: {name: anabel, previously: ana}',
    )
    engine.write({ 'tenants/_platform/people.yaml': renamed })
    expect((await engine.plan()).brakes).toEqual([])
  })
})

describe('a lock-out', () => {
  const lockouts: readonly (readonly [string, string])[] = [
    [
      'no rule speaks for it any more',
      policy('config', '{id: menus, match: {capability: "config.menu.*"}, decision: ALLOW}'),
    ],
    [
      'a rule blocks it',
      policy('config', allowAll, '{id: never, match: {capability: "config.trustpolicy.*"}, decision: BLOCK}'),
    ],
    [
      'a rule never lets people propose it',
      policy(
        'config',
        '{id: widening, match: {capability: "config.**", when: "action.proposer.kind == \'reconciler\'"}, decision: ALLOW}',
      ),
    ],
    [
      'nobody holds the role it waits for',
      policy(
        'config',
        '{id: all, match: {capability: "config.**"}, decision: ALERT, alert: {mode: hold, approvers: {role: admin, quorum: 1}}}',
      ),
    ],
  ]
  test.each(lockouts)('is refused when %s', async (_name, rules) => {
    await start({ 'tenants/_platform/roles.yaml': role('admin', 'read, approve') })
    engine.write({ 'tenants/_platform/policy.yaml': rules })
    await refused('LOCKED_OUT')
  })

  test('is refused when the last policy goes', async () => {
    await start({ 'tenants/_platform/role.yaml': role('clerk') })
    engine.write({ 'tenants/_platform/policy.yaml': null })
    await refused('LOCKED_OUT')
  })

  test('that stands already is no fault of the next plan, and break-glass is the way out, with every receipt saying so', async () => {
    await start({})
    engine.write({ 'tenants/_platform/policy.yaml': null })
    expect(fates(await engine.apply({}, 1))).toEqual({ '_platform/TrustPolicy/config': 'applied' })
    engine.write({ 'tenants/acme/p.yaml': parameter('p', 1) })
    expect(fates(await engine.apply())).toEqual({ 'acme/Parameter/p': 'blocked' })
    await breakGlass(engine, 'locked out', 3_600_000)
    engine.write({ 'tenants/_platform/policy.yaml': policy('config', allowAll) })
    const out = await engine.apply()
    expect(new Set(Object.values(fates(out)))).toEqual(new Set(['applied']))
    for (const outcome of out.outcomes) {
      const [row] = await engine.sql<{ verdict: { rules: { rule: string }[] } }>(
        'select verdict from fibric.action where action_id = $1',
        [outcome.actionId],
      )
      expect(row!.verdict.rules.map(({ rule }) => rule)).toContain('break-glass')
    }
    engine.time.now += 3_600_000
    engine.write({ 'tenants/acme/p.yaml': parameter('p', 2) })
    expect(fates(await engine.apply())).toEqual({ 'acme/Parameter/p': 'applied' })
  })
})

test('while a file of a tenant cannot be read, nothing of that tenant is deleted, and the others go on', async () => {
  await start({ [settings]: parameters(3), 'tenants/beta/tenant.yaml': tenant('beta') })
  engine.write({
    [settings]: parameter('p0', 0),
    'tenants/acme/broken.yaml': 'apiVersion: fibric.io/v1\nkind: Par',
    'tenants/beta/p.yaml': parameter('p', 1),
  })
  await expect(engine.apply()).rejects.toMatchObject({ code: 'INVALID_CONFIGURATION', exitCode: 5 })
  const pass = await engine.pass()
  expect(fates(pass.applied!)).toEqual({ 'beta/Parameter/p': 'applied' })
})
