import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { applyPlanned, applySaved } from '../../controller/operations/apply.ts'
import { makeKey } from '../../controller/operations/keys.ts'
import { loadPlan, plan, savePlan } from '../../controller/operations/plan.ts'
import { setSecret } from '../../controller/operations/secrets.ts'
import { authenticate } from '../../controller/tenancy/actor.ts'
import { testApi } from '../support/api.ts'
import { fibricBatch } from '../support/cli.ts'
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

  test('need not say whose keys, secrets and stops it means, and sees no others', async () => {
    const api = await testApi(engine)
    const token = await api.key('acme', 'admin', 'acme/User/eve')
    await api.key('beta', 'ingest')
    for (const slug of ['acme', 'beta']) await setSecret(engine, slug, 'shop', Buffer.from('a canary value'))
    const run = async (key: string, ...lines: string[]) =>
      (
        await fibricBatch(
          lines.map((line) => line.split(' ')),
          engine.directory,
          { FIBRIC_SERVER: `http://127.0.0.1:${api.port}`, FIBRIC_TOKEN: key },
        )
      ).map(({ exit, stdout, stderr }) => ({ exit, stderr, json: JSON.parse(stdout) }))
    const tenantsOf = ({ json }: { json: { data: { tenant: string }[] } }) =>
      [...new Set(json.data.map(({ tenant: slug }) => slug))].sort()
    const [made, keys, secrets, stopped, started] = await run(
      token,
      'keys create --role read_only --user eve --json',
      'keys list --json',
      'secrets list --json',
      'stop --reason why --json',
      'start --reason over --json',
    )
    expect(made).toMatchObject({ exit: 0, json: { tenant: 'acme', user_address: 'acme/User/eve' } })
    expect([tenantsOf(keys!), tenantsOf(secrets!)]).toEqual([['acme'], ['acme']])
    expect([stopped!.json, started!.json]).toMatchObject([{ tenant: 'acme', scope: 'tenant' }, { tenant: 'acme' }])
    // Who sees all sees all, and has to say which one a stop is for.
    const all = await run(
      await api.key(null, 'admin'),
      'keys list --json',
      'secrets list --json',
      'secrets list --tenant beta --json',
      'stop --reason why --json',
    )
    expect(all.slice(0, 3).map(tenantsOf)).toEqual([['_platform', 'acme', 'beta'], ['acme', 'beta'], ['beta']])
    expect(all[3]).toMatchObject({ exit: 64, json: { error: { code: 'USAGE' } } })
    await api.close()
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

  test('makes keys for whoever holds it and for machines, and never one that speaks for somebody else', async () => {
    engine.write({ 'tenants/acme/people.yaml': docs(role('clerk'), user('eve', 'clerk'), user('mallory', 'clerk')) })
    await engine.apply({ scope: { slug: 'acme' as never } })
    const eve = await engine.as('acme/User/eve', 'admin')
    const wanted = { slug: 'acme' as never, role: 'operate', name: null, expiresAt: null }
    await expect(makeKey(eve, { ...wanted, user: 'acme/User/mallory' as never })).rejects.toMatchObject(refusal)
    expect((await makeKey(eve, { ...wanted, user: 'acme/User/eve' as never })).key.created_by).toBe('acme/User/eve')
    const { secret } = await makeKey(eve, { ...wanted, role: 'admin', user: null })
    // Nor through a key in nobody's name: that one was made by a person too.
    const machine = { ...engine, actor: await authenticate(engine.database, secret, engine.clock()) }
    await expect(makeKey(machine, { ...wanted, user: 'acme/User/mallory' as never })).rejects.toMatchObject(refusal)
  })
})
