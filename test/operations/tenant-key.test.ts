import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { applyPlanned, applySaved } from '../../controller/operations/apply.ts'
import { loadPlan, plan, savePlan } from '../../controller/operations/plan.ts'
import { fates, type TestEngine, testEngine } from '../support/engine.ts'
import { docs, open, parameter, role, tenant, user } from './repositories.ts'

let engine: TestEngine
afterEach(() => engine.close())

const refusal = { code: 'INSUFFICIENT_SCOPE', exitCode: 3 }

describe('a key of one tenant', () => {
  beforeEach(async () => {
    engine = await testEngine({
      ...open,
      'tenants/acme/people.yaml': docs(role('clerk'), user('eve', 'clerk')),
      'tenants/beta/tenant.yaml': tenant('beta'),
    })
    await engine.apply()
    engine.write({ 'tenants/acme/p.yaml': parameter('a', 1), 'tenants/beta/p.yaml': parameter('b', 1) })
  })

  test('changes its own tenant', async () => {
    const eve = await engine.as('acme/User/eve', 'admin')
    const own = await plan(eve, { directory: engine.directory, ref: null, scope: { slug: 'acme' as never } })
    expect(fates(await applyPlanned(eve, own, { confirmDeletes: null }))).toEqual({ 'acme/Parameter/a': 'applied' })
  })

  test('plans nothing of another', async () => {
    const eve = await engine.as('acme/User/eve', 'admin')
    await expect(plan(eve, { directory: engine.directory, ref: null })).rejects.toMatchObject(refusal)
  })

  test('carries out no plan file that somebody else made for another', async () => {
    const saved = await savePlan(engine, await engine.plan())
    const eve = await engine.as('acme/User/eve', 'admin')
    const before = await engine.census()
    const applying = applySaved(eve, loadPlan(eve, saved, 'a.plan'), { confirmDeletes: null })
    await expect(applying).rejects.toMatchObject(refusal)
    expect(await engine.census()).toEqual(before)
  })
})
