import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { deliver } from './webhooks.ts'

/**
 * A shop: a small HTTP server that keeps orders in memory, answers its API like a real one (keys, idempotency keys, 404,
 * 409), and tells a webhook of what happened, signed on the raw bytes and repeated until it is taken.
 *
 *   POST /orders                {order_id, total, risk_score}   what a customer does: place an order
 *   POST /orders/{id}/cancel                                   …and cancel it
 *   GET  /effects                                              how often this shop really did something
 *   /api/**                                                    what an integration may ask for, with an X-Api-Key
 */
export interface Shop {
  readonly url: string
  readonly port: number
  /** Every order, as it stands. */
  orders(): Order[]
  /** What was really done, in order; a request that only repeated another is not among it. */
  effects(): string[]
  place(order: NewOrder): Promise<void>
  cancel(orderId: string): Promise<void>
  close(): Promise<void>
}

export interface ShopOptions {
  /** 0 takes any that is free. */
  readonly port: number
  readonly apiKey: string
  readonly readOnlyKey: string
  readonly webhookSecret: string
  /** Where webhooks go: the topic's event is appended, `<hooks>/order.created`. */
  readonly hooks: () => string
}

export interface NewOrder {
  readonly order_id: string
  readonly total: number
  readonly risk_score: number
}

export interface Order extends NewOrder {
  status: 'open' | 'held' | 'cancelled'
  refunded: number
  readonly currency: 'EUR'
}

interface Answer {
  readonly status: number
  readonly body: object
}

export async function startShop(options: ShopOptions): Promise<Shop> {
  const orders = new Map<string, Order>()
  const effects: string[] = []
  const answers = new Map<string, Answer>()
  const refunds = new Map<string, { readonly reference: string | null; readonly amount: number }[]>()
  const closing = new AbortController()

  const tell = (event: string, order: Order): Promise<void> =>
    deliver(() => `${options.hooks()}/${event}`, order, options.webhookSecret, closing.signal)

  const add = ({ order_id, total, risk_score }: NewOrder): Order => {
    if (orders.has(order_id)) throw new Problem(409, `there is an order ${order_id}`)
    const order: Order = { order_id, total, risk_score, status: 'open', refunded: 0, currency: 'EUR' }
    orders.set(order_id, order)
    return order
  }

  const cancel = (orderId: string): Order => {
    const order = find(orders, orderId)
    order.status = 'cancelled'
    return order
  }

  /** A request with a key that was seen before is answered as before; nothing happens again. Without one, it does. */
  const once = (request: IncomingMessage, act: () => Answer): Answer => {
    if (request.headers['x-api-key'] !== options.apiKey) throw new Problem(403, 'this key may not write')
    const key = request.headers['idempotency-key']
    if (key === undefined) return act()
    const known = answers.get(`${request.url} ${key}`)
    if (known) return known
    const answer = act()
    answers.set(`${request.url} ${key}`, answer)
    return answer
  }

  const change = (orderId: string, verb: string, body: { readonly [name: string]: unknown }): Answer => {
    const order = find(orders, orderId)
    switch (verb) {
      case 'hold':
        if (order.status === 'cancelled') throw new Problem(409, `order ${orderId} is cancelled`)
        order.status = 'held'
        effects.push(`hold ${orderId}`)
        return { status: 200, body: { ...order } }
      case 'release':
        order.status = 'open'
        effects.push(`release ${orderId}`)
        return { status: 200, body: { ...order } }
      case 'refunds': {
        const amount = Number(body.amount)
        if (!(amount > 0) || order.refunded + amount > order.total) throw new Problem(422, `${body.amount} is not due`)
        order.refunded += amount
        const reference = typeof body.reference === 'string' ? body.reference : null
        refunds.set(orderId, [...(refunds.get(orderId) ?? []), { reference, amount }])
        effects.push(`refund ${amount} for ${orderId}`)
        return { status: 201, body: { ...order } }
      }
      default:
        throw new Problem(404, `no \`${verb}\` here`)
    }
  }

  const look = (noun = '', orderId: string, verb: string | undefined, query: URLSearchParams): object => {
    if (noun === 'ping') return {}
    if (noun !== 'orders') throw new Problem(404, 'nothing here')
    if (orderId === '') {
      const status = query.get('status')
      return { orders: [...orders.values()].filter((order) => status === null || order.status === status) }
    }
    if (verb === undefined) return find(orders, orderId)
    if (verb !== 'refunds') throw new Problem(404, 'nothing here')
    const reference = query.get('reference')
    const known = refunds.get(find(orders, orderId).order_id) ?? []
    return { refunds: known.filter((refund) => reference === null || refund.reference === reference) }
  }

  const answerApi = async (
    request: IncomingMessage,
    path: readonly string[],
    query: URLSearchParams,
  ): Promise<Answer> => {
    const key = String(request.headers['x-api-key'])
    if (key !== options.apiKey && key !== options.readOnlyKey) throw new Problem(401, 'the API key is unknown')
    const [noun, orderId = '', verb] = path
    if (request.method === 'GET') return { status: 200, body: look(noun, orderId, verb, query) }
    // A subscription that is made twice is one.
    if (request.method === 'PUT' && noun === 'webhooks') return { status: 200, body: { topic: orderId } }
    if (request.method !== 'POST' || noun !== 'orders' || verb === undefined) throw new Problem(404, 'nothing here')
    const body = await readJson(request)
    return once(request, () => change(orderId, verb, body))
  }

  const answerCustomer = async (request: IncomingMessage, path: readonly string[]): Promise<Answer> => {
    if (request.method === 'GET' && path.join() === 'effects') return { status: 200, body: effects }
    if (request.method !== 'POST' || path[0] !== 'orders') throw new Problem(404, 'nothing here')
    if (path.length > 1 && path[2] !== 'cancel') throw new Problem(404, 'nothing here')
    const order = path.length === 1 ? add(newOrder(await readJson(request))) : cancel(path[1]!)
    inBackground(tell(path.length === 1 ? 'order.created' : 'order.cancelled', order))
    return { status: path.length === 1 ? 201 : 200, body: order }
  }

  const server = createServer(async (request, response) => {
    try {
      const { pathname, searchParams } = new URL(request.url ?? '/', 'http://shop')
      const path = pathname.split('/').slice(1).map(decodeURIComponent)
      const isApi = path[0] === 'api'
      reply(response, await (isApi ? answerApi(request, path.slice(1), searchParams) : answerCustomer(request, path)))
    } catch (error) {
      const problem = error instanceof Problem ? error : new Problem(500, (error as Error).message)
      reply(response, { status: problem.status, body: { error: problem.message } })
    }
  })
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(options.port, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    place: (order) => tell('order.created', add(order)),
    cancel: (orderId) => tell('order.cancelled', cancel(orderId)),
    url: `http://127.0.0.1:${port}`,
    port,
    orders: () => [...orders.values()].map((order) => ({ ...order })),
    effects: () => [...effects],
    close: async () => {
      closing.abort()
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function newOrder(body: { readonly [name: string]: unknown }): NewOrder {
  const { order_id: id, total, risk_score: risk } = body
  if (typeof id !== 'string' || typeof total !== 'number' || typeof risk !== 'number') {
    throw new Problem(400, 'an order has an order_id, a total and a risk_score')
  }
  return { order_id: id, total, risk_score: risk }
}

class Problem extends Error {
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

function find(orders: ReadonlyMap<string, Order>, orderId: string): Order {
  const order = orders.get(orderId)
  if (!order) throw new Problem(404, `there is no order ${orderId}`)
  return order
}

/** A customer does not wait for a webhook; what keeps it from arriving is said where the shop runs. */
function inBackground(told: Promise<void>): void {
  told.catch((error: Error) => process.stderr.write(`${error.message}\n`))
}

async function readJson(request: IncomingMessage): Promise<{ readonly [name: string]: unknown }> {
  const chunks: Buffer[] = []
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk)
  const text = Buffer.concat(chunks).toString('utf8')
  try {
    return text === '' ? {} : (JSON.parse(text) as { readonly [name: string]: unknown })
  } catch {
    throw new Problem(400, 'the body is not JSON')
  }
}

function reply(response: ServerResponse, { status, body }: Answer): void {
  const text = JSON.stringify(body)
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) })
  response.end(text)
}

// `node shop.ts`: the shop on its own, for the tutorial.
if (import.meta.main) {
  const { SHOP_PORT = '4381', FIBRIC_URL = 'http://localhost:4310' } = process.env
  const shop = await startShop({
    port: Number(SHOP_PORT),
    apiKey: 'shop-key-that-may-write',
    readOnlyKey: 'shop-key-that-only-reads',
    webhookSecret: 'what-the-shop-signs-with',
    hooks: () => `${FIBRIC_URL}/v1/t/acme/ingest/shop`,
  })
  process.stdout.write(`The shop answers at ${shop.url}; its webhooks go to ${FIBRIC_URL}.\n`)
}
