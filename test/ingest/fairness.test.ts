import { expect, test } from 'vitest'
import { open, tenant } from '../operations/repositories.ts'
import { testEngine } from '../support/engine.ts'
import { flood } from './flood.ts'
import { idOf } from './polling-shop.ts'

test('a tenant that floods is refused, and its neighbour is served while the flood still waits', async () => {
  const engine = await testEngine({ ...open, 'tenants/small/tenant.yaml': tenant('small') })
  await engine.apply()
  const [acme, small] = [await idOf(engine, 'acme'), await idOf(engine, 'small')]
  const limits = { backlogAgeMaxMs: 600_000, backlogMax: 300, pendingMax: 200 }
  const result = await flood(
    engine.database,
    { loud: { tenantId: acme, slug: 'acme' }, quiet: { tenantId: small, slug: 'small' } },
    { events: 6_000, limits, quietEveryMs: 20, consumerStuck: true },
  )
  expect(result.refused).toBeGreaterThan(0)
  expect(result.accepted + result.refused).toBeGreaterThanOrEqual(6_000)
  expect(result.retryAfterS.every((seconds) => seconds >= 1 && seconds <= 300)).toBe(true)
  expect(result.quiet.deliveredMs).toHaveLength(result.quiet.sent)
  expect(result.backlogAtEnd).toBeGreaterThan(0)
  const [{ n } = { n: 0 }] = await engine.sql<{ n: number }>(
    'select count(*)::int as n from fibric.event where tenant_id = $1',
    [acme],
  )
  expect(n).toBe(result.accepted)
  await engine.close()
}, 120_000)
