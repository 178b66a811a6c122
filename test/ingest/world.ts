import { randomBytes } from 'node:crypto'
import type { NewEvent } from '../../controller/domain/envelope.ts'
import type { Slug, TenantId } from '../../controller/domain/ids.ts'
import type { Database } from '../../controller/store/connect.ts'
import { createDomain } from '../../controller/store/domains.ts'

export const acme = 't_acme' as TenantId
export const globex = 't_globex' as TenantId

/** Domains without anything applied in them: all that the log itself asks for. */
export async function makeDomains(database: Database, ...tenants: readonly TenantId[]): Promise<void> {
  for (const tenantId of tenants) {
    await database.asWorker([tenantId], (tx) =>
      createDomain(tx, {
        tenantId,
        resellerId: null,
        slug: tenantId.slice(2) as Slug,
        ledgerId: `l_${randomBytes(8).toString('hex')}`,
        now: new Date().toISOString(),
      }),
    )
  }
}

export function event(payload: NewEvent['payload'] = {}, more: Partial<NewEvent> = {}): NewEvent {
  return { source: 'shop', eventType: 'order.created', payload, origin: 'internal', ...more }
}
