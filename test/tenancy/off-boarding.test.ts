import { afterAll, beforeAll, expect, test } from 'vitest'
import type { TenantId } from '../../controller/domain/ids.ts'
import { setSecret } from '../../controller/operations/secrets.ts'
import { destroyKeysOfDeleted } from '../../controller/tenancy/off-boarding.ts'
import { readSecret } from '../../controller/tenancy/secrets.ts'
import { tenantIdOf } from '../connectors/lab.ts'
import { open, tenant } from '../operations/repositories.ts'
import { fates, type TestEngine, testEngine } from '../support/engine.ts'

let engine: TestEngine
let acme: TenantId

beforeAll(async () => {
  engine = await testEngine({ ...open, 'tenants/beta/tenant.yaml': tenant('beta') })
  await engine.apply()
  acme = await tenantIdOf(engine, 'acme')
  for (const slug of ['acme', 'beta']) await setSecret(engine, slug, 'shop', Buffer.from(`secret-of-${slug}`))
})
afterAll(() => engine.close())

const keys = () => engine.sql<{ tenant_id: string }>('select tenant_id from fibric.tenant_key order by tenant_id')
const sweep = () => destroyKeysOfDeleted(engine.database, { person: 'builtin:off-boarding', now: engine.clock() })
const read = async (tenantId: TenantId) =>
  (await readSecret(engine.database, tenantId, 'shop', 'value', { versions: 2, now: engine.clock() })).map(
    ({ value }) => value.toString(),
  )

test('a tenant that is there keeps its key', async () => {
  expect(await sweep()).toEqual([])
  expect((await keys()).length).toBe(2)
  expect(await read(acme)).toEqual(['secret-of-acme'])
})

test('a deleted tenant’s key and secrets are destroyed with it, and its ledger says so; its neighbour notices nothing', async () => {
  const beta = await tenantIdOf(engine, 'beta')
  engine.time.now += 1000
  engine.write({ 'tenants/acme/tenant.yaml': null })
  expect(fates(await engine.apply({}, 1))).toMatchObject({ 'acme/Tenant/acme': 'applied' })
  expect(await keys()).toEqual([{ tenant_id: beta }])
  expect(await read(acme)).toEqual([])
  expect(await read(beta)).toEqual(['secret-of-beta'])
  const rows = await engine.sql<{ sealed: unknown; destroyed_at: unknown }>(
    'select sealed, destroyed_at from fibric.secret_version where tenant_id = $1',
    [acme],
  )
  expect(rows).toEqual([{ sealed: null, destroyed_at: expect.anything() }])
  const entries = await engine.sql<{ bytes: Buffer }>(
    `select bytes from fibric.ledger_entry where tenant_id = $1 and kind = 'control.tenant_key.destroy'`,
    [acme],
  )
  expect(entries.map(({ bytes }) => JSON.parse(bytes.toString()).details)).toMatchObject([{ versions: 1 }])
  expect(await sweep(), 'once').toEqual([])
})
