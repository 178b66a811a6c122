import { afterEach, expect, test } from 'vitest'
import type { Address, Slug } from '../../controller/domain/ids.ts'
import { plan } from '../../controller/operations/plan.ts'
import { answerPlans } from '../../controller/operations/plans.ts'
import { authenticate } from '../../controller/tenancy/actor.ts'
import { createKey } from '../../controller/tenancy/keys.ts'
import { fates, type TestEngine, testEngine } from '../support/engine.ts'
import { docs, governed, open, parameter, role, tenant, user } from './repositories.ts'

const roles = 'tenants/acme/roles.yaml'
let engine: TestEngine
afterEach(() => engine.close())

test('a misspelt tenant is refused, and so is one that the key does not belong to; a misspelt target is warned of', async () => {
  const eve = docs(role('clerk'), user('eve', 'clerk'))
  engine = await testEngine({ ...open, 'tenants/acme/people.yaml': eve, 'tenants/beta/tenant.yaml': tenant('beta') })
  await engine.apply()
  const absent = { code: 'NOT_FOUND' }
  await expect(engine.plan({ scope: { slug: 'acmee' as Slug } })).rejects.toMatchObject(absent)
  const own = await engine.as('acme/User/eve')
  const beta = { directory: engine.directory, ref: null, scope: { slug: 'beta' as Slug } }
  await expect(plan(own, beta)).rejects.toMatchObject(absent)
  const { plan: planned } = await engine.plan({ scope: { targets: ['acme/User/nobody' as Address] } })
  expect(planned.warnings).toEqual(['nothing is wanted or applied at the target `acme/User/nobody`'])
})

test('the key of a User who was removed opens nothing any more', async () => {
  engine = await testEngine({
    ...open,
    'tenants/acme/people.yaml': docs(role('clerk'), user('eve', 'clerk'), user('eva', 'clerk')),
  })
  await engine.apply()
  const { secret } = await createKey(
    engine.database,
    engine.actor,
    { slug: 'acme' as Slug, role: 'admin', name: null, user: 'acme/User/eve' as Address, expiresAt: null },
    engine.clock(),
  )
  const enter = () => authenticate(engine.database, secret, engine.clock())
  expect((await enter()).person).toBe('acme/User/eve')
  engine.write({ 'tenants/acme/people.yaml': docs(role('clerk'), user('eva', 'clerk')) })
  expect(fates(await engine.apply())).toEqual({ 'acme/User/eve': 'applied' })
  await expect(enter()).rejects.toMatchObject({ code: 'KEY_REVOKED' })
})

test('a half-approved change whose object moved meanwhile ends superseded, and stops no other tenant', async () => {
  engine = await testEngine({ ...governed, 'tenants/beta/tenant.yaml': tenant('beta'), [roles]: role('clerk') })
  await engine.apply()
  const [ana, ben] = await Promise.all(['ana', 'ben'].map((name) => engine.as(`_platform/User/${name}`)))
  const hold = async (verbs: string, scope = {}): Promise<string> => {
    engine.write({ [roles]: role('clerk', verbs) })
    const applied = await engine.apply({ scope })
    return applied.outcomes[0]!.actionId!
  }
  const first = await hold('read, write')
  await answerPlans(ana!, first, 'approve', null)
  // A plan of one target has nothing to say about what waits.
  const second = await hold('read, run', { targets: ['acme/Role/clerk' as Address] })
  await answerPlans(ana!, second, 'approve', null)
  expect((await answerPlans(ben!, second, 'approve', null))[0]!.outcome).toBe('applied')

  engine.write({ 'tenants/beta/p.yaml': parameter('b', 1) })
  expect(fates(await engine.apply({ scope: { slug: 'beta' as Slug } }))).toEqual({ 'beta/Parameter/b': 'applied' })
  const [action] = await engine.sql<{ state: string }>('select state from fibric.action where action_id = $1', [first])
  expect(action!.state).toBe('superseded')
})
