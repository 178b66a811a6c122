import type { TenantId } from '../../controller/domain/ids.ts'
import { doc, open } from '../operations/repositories.ts'
import type { Files, TestEngine } from '../support/engine.ts'
import { answers, type Behaviour } from '../support/provider.ts'

const connector = doc(
  'Connector',
  'shop',
  `
  version: 1.0.0
  category: commerce
  auth: {kind: none}
  runtime: http
  http: {baseUrl: "https://shop.example.com"}
  events:
    order.updated:
      kind: poll
      every: 30s
      request: {method: GET, path: /orders, query: {since: "\${cursor.value}", after: "\${cursor.tie}"}}
      items: "\${response.body.orders}"
      cursor: "\${item.updated_at}"
      tieBreak: "\${item.id}"
      idempotencyKey: "order:\${item.id}"
      schema: {type: object, properties: {id: {type: integer}}}
    order.late:
      kind: poll
      every: 30s
      request: {method: GET, path: /late, query: {since: "\${cursor.value}"}}
      overlap: 10s
      items: "\${response.body.orders}"
      cursor: "\${item.updated_at}"
      idempotencyKey: "late:\${item.id}"
      payload: {id: "\${item.id}", since: "\${cursor.value}", of: "\${size(response.body.orders)}", at: "\${ingest.url}"}
    order.paged:
      kind: poll
      every: 30s
      request: {method: GET, path: /paged, query: {since: "\${cursor.value}"}}
      pages: {next: "\${response.body.next}", max: 2}
      items: "\${response.body.orders}"
      cursor: "\${item.updated_at}"
      tieBreak: "\${item.id}"
      idempotencyKey: "order:\${item.id}"`.trimEnd(),
)

/** A tenant with one connection, whose provider on loopback is polled for three events. */
export function pollingShop(port: number): Files {
  return {
    ...open,
    'fibric.yaml': doc('Deployment', 'lab', '{egress: {allowPrivate: ["127.0.0.1/32"]}}'),
    'tenants/_platform/shop.yaml': connector,
    'tenants/acme/connections.yaml': doc(
      'Connection',
      'orders',
      `{connector: shop@1.0.0, transport: {sandbox: {baseUrl: "http://127.0.0.1:${port}"}}}`,
    ),
  }
}

export function ordersAnswer(orders: readonly object[]): Behaviour {
  return answers(200, { orders, next: null })
}

export async function idOf(engine: TestEngine, slug: string): Promise<TenantId> {
  const rows = await engine.sql<{ tenant_id: TenantId }>('select tenant_id from fibric.domain where slug = $1', [slug])
  return rows[0]!.tenant_id
}
