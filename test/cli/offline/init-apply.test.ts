import { expect, test } from 'vitest'
import { documents } from '../../../cli/init/documents.ts'
import { testEngine } from '../../support/engine.ts'

test('what `init` writes applies as it stands, and goes on being changed by whoever may apply', async () => {
  const engine = await testEngine(Object.fromEntries(documents('main')))
  const first = await engine.plan()
  expect(first.brakes).toEqual([])
  expect(first.plan.changes).toHaveLength(documents('main').size)
  await engine.apply()
  expect((await engine.plan()).plan.changes).toEqual([])

  const path = 'tenants/example/policies/orders.yaml'
  engine.write({ [path]: documents('main').get(path)!.replace('max: 20', 'max: 30') })
  const widening = await engine.plan()
  expect(widening.plan.changes.map(({ authority }) => authority.class)).toEqual(['widens'])
  await engine.apply()
  expect((await engine.plan()).plan.changes).toEqual([])
})
