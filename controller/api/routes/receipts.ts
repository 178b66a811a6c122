import { receiptJson } from '../../operations/objects.ts'
import { listReceipts, showReceipt } from '../../operations/receipts.ts'
import { listOf, pageOf, pageQuery } from '../cursor.ts'
import { type RouteGroup, route } from '../route.ts'
import { ref } from '../schemas.ts'

/** The ledger: one receipt an action, and the entries of other kinds. */
export const receiptRoutes: RouteGroup = {
  name: 'receipts',
  register(server) {
    route(server, {
      method: 'GET',
      url: '/v1/receipts',
      scope: 'receipts:read',
      summary: 'Ledger entries, newest first',
      query: { ...pageQuery, tenant: { type: 'string', minLength: 1, maxLength: 63 } },
      response: listOf(ref('LedgerEntry')),
      handler: (call) => {
        const tenant = call.query.tenant === undefined ? null : String(call.query.tenant)
        return pageOf(call, tenant, {
          read: (after, count) => listReceipts(call.engine, tenant, count, after),
          positionOf: (entry) => entry.id,
          show: receiptJson,
        })
      },
    })
    route(server, {
      method: 'GET',
      url: '/v1/receipts/{id}',
      scope: 'receipts:read',
      summary: 'One ledger entry',
      response: ref('LedgerEntry'),
      handler: async ({ engine, params }) => receiptJson(await showReceipt(engine, params.id!)),
    })
  },
}
