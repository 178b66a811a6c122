import { afterAll, beforeAll, expect, test } from 'vitest'
import { answers } from '../../support/provider.ts'
import { type World, world } from './world.ts'

let w: World
beforeAll(async () => {
  w = await world()
})
afterAll(() => w.close())

test('an allowed action is carried out once and receipted', async () => {
  w.provider.on('*', answers(200, { ok: true }))
  const [id] = await w.propose([{ capability: 'thing.keyed', args: { id: 'a' } }])
  await w.executor.drain()
  expect(w.failures).toEqual([])
  expect(await w.action(id!)).toMatchObject({ state: 'applied', attempts: 1 })
  expect(w.writes()).toBe(1)
  expect(await w.receipts()).toMatchObject([{ outcome: 'applied', capability: 'thing.keyed', attempts: 1 }])
})
