import { createHmac } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Shop, startShop } from '../../examples/order-risk/shop.ts'
import { type Example, goldenOf, startExample, until, untrueIn } from './world.ts'

// The README's story, through the doors that everybody uses: the shop sends signed webhooks over HTTP, people use the
// command line, and what counts at the end is what the shop says was done.

const keys = {
  apiKey: 'shop-key-that-may-write',
  readOnlyKey: 'shop-key-that-only-reads',
  webhookSecret: 'what-the-shop-signs-with',
}

let shop: Shop
let example: Example
beforeAll(async () => {
  shop = await startShop({ port: 0, ...keys, hooks: () => `http://127.0.0.1:${example.port}/v1/t/acme/ingest/shop` })
  example = await startExample('order-risk', { replace: { '4381': String(shop.port) } })
})
afterAll(async () => {
  await example?.close()
  await shop?.close()
})

function signed(body: string, secret: string): string {
  return createHmac('sha256', secret).update(body).digest('base64')
}

interface Waiting {
  readonly data: readonly { readonly action_id: string }[]
}

test('a risky order is held, a small refund is paid, a large one waits for two people', async () => {
  await example.fibric('secrets set shop-main --tenant acme', { stdin: keys.apiKey })
  await example.fibric('secrets set shop-main.webhook --tenant acme', { stdin: keys.webhookSecret })
  await example.fibric('secrets set shop-readonly --tenant acme', { stdin: keys.readOnlyKey })
  await example.fibric('connections test shop --tenant acme')

  await shop.place({ order_id: '1001', total: 80, risk_score: 12 })
  await shop.place({ order_id: '1002', total: 900, risk_score: 91 })
  await until(shop.effects, (effects) => effects.length === 1)
  await shop.cancel('1001')
  await until(shop.effects, (effects) => effects.length === 2)
  await shop.cancel('1002')
  const waiting = await until(
    () => example.json<Waiting>('plans list'),
    ({ data }) => data.length > 0,
  )
  expect(shop.effects()).toEqual(['hold 1002', 'refund 80 for 1001'])
  await example.fibric('plans list')

  const [action] = waiting.data
  const [lena, omar] = [await example.key('acme', 'operate', 'lena'), await example.key('acme', 'operate', 'omar')]
  await example.fibric(`plans approve ${action!.action_id}`, { token: lena, exit: 4 })
  await example.fibric(`plans approve ${action!.action_id}`, { token: lena, exit: 1 })
  await example.fibric(`plans approve ${action!.action_id}`, { token: omar })
  expect(shop.effects()).toEqual(['hold 1002', 'refund 80 for 1001', 'refund 900 for 1002'])

  await example.fibric('receipts list --tenant acme --limit 3')
  await example.fibric(`trace ${action!.action_id}`)
})

test('a forged webhook is nothing, and a repeated one is one event', async () => {
  const path = '/v1/t/acme/ingest/shop/order.created'
  const body = JSON.stringify({ order_id: '1003' })
  const forged = { 'x-shop-delivery': 'd-9', 'x-shop-hmac-sha256': signed(body, 'what-somebody-else-signs-with') }
  expect((await example.send('POST', path, { raw: body, headers: forged })).status).toBe(401)
  const headers = { 'x-shop-delivery': 'd-9', 'x-shop-hmac-sha256': signed(body, keys.webhookSecret) }
  const [first, second] = [
    await example.send('POST', path, { raw: body, headers }),
    await example.send('POST', path, { raw: body, headers }),
  ]
  expect([first.status, second.status]).toEqual([202, 202])
  expect(second.json.id).toBe(first.json.id)
  const events = await example.json<{ data: unknown[] }>('events list')
  expect(events.data).toHaveLength(5)
})

test('two events of one order that was cancelled ask for its money back once', async () => {
  await shop.place({ order_id: '1004', total: 900, risk_score: 12 })
  await shop.cancel('1004')
  const path = '/v1/t/acme/ingest/shop/order.cancelled'
  const body = JSON.stringify({ order_id: '1004' })
  const headers = { 'x-shop-delivery': 'd-10', 'x-shop-hmac-sha256': signed(body, keys.webhookSecret) }
  expect((await example.send('POST', path, { raw: body, headers })).status).toBe(202)
  const ended = await until(
    async () => (await example.receipts('acme')).filter(({ body }) => body.entity_key === 'order:1004'),
    (list) => list.length > 0,
  )
  expect(new Set(ended.map(({ body }) => body.outcome))).toEqual(new Set(['deduplicated']))
  const waiting = await example.json<{ data: { entity_key: string }[] }>('plans list')
  expect(waiting.data.map(({ entity_key: entity }) => entity)).toEqual(['order:1004'])
})

test('the README shows what happens', async () => {
  await expect(example.transcript()).toMatchFileSnapshot(goldenOf('order-risk'))
  expect(untrueIn('order-risk', example.transcript())).toEqual([])
})
