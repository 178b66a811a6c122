import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { root } from '../support/cli.ts'
import { type Example, startExample } from './world.ts'

// `npm start` over a copy of `tenants/`: the shop sells, and what the README of this repository shows comes of it.

const shopPort = String(20_000 + (process.pid % 20_000))

let example: Example
beforeAll(async () => {
  example = await startExample('start', {
    sources: { tenants: join(root, 'tenants'), 'fibric.yaml': join(root, 'fibric.yaml') },
    program: [process.execPath, join(root, 'scripts/start.ts'), '.', '--port', '0'],
    replace: { '4381': shopPort },
    environment: { SHOP_PORT: shopPort },
  })
})
afterAll(() => example?.close())

test('a newcomer sees a hold, a refund, and one that waits for two people', async () => {
  const printed = await example.said('That refund waits')
  expect(printed).toMatch(/event {4}ev_\w+ order.created/)
  expect(printed).toMatch(/receipt {2}rc_\w+ applied: order.hold order:\w+-2, proposed by order-risk/)
  expect(printed).toMatch(/receipt {2}rc_\w+ applied: refund.issue order:\w+-1, proposed by order-refunds/)
  const [, action] = /waiting {2}(act_\w+) refund.issue order:\w+-3/.exec(printed)!

  await example.fibric(`plans approve ${action}`, { token: await example.key('acme', 'operate', 'omar'), exit: 4 })
  await example.fibric(`plans approve ${action}`, { token: await example.key('acme', 'operate', 'sofia') })
  const end = await example.said('-3, proposed by order-refunds')
  expect(end).toMatch(/approved by acme\/User\/sofia\n/)
  expect(end).toMatch(/receipt {2}rc_\w+ applied: refund.issue order:\w+-3, proposed by order-refunds/)
})

test('it ends as a whole', async () => {
  expect(await example.stop()).toBe(0)
  expect(await example.said('Stopped.')).not.toMatch(/does not run|failed/)
  await expect(fetch(`http://127.0.0.1:${shopPort}/effects`)).rejects.toThrow()
})
