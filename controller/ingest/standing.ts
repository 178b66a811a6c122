import { formatAddress } from '../domain/address.ts'
import { type Address, platformSlug, platformTenantId, type TenantId } from '../domain/ids.ts'
import { isJsonObject, type JsonObject } from '../domain/json.ts'
import type { ResourceContent } from '../domain/resource.ts'
import { readContents } from '../store/contents.ts'
import { readLastReceipts } from '../store/objects.ts'
import type { Transaction } from '../store/tenancy.ts'

/** What a tenant's document and its tier say of its intake. */
export interface Standing {
  readonly suspended: boolean
  /** Null: no limit. */
  readonly eventsPerMinute: number | null
}

/** The standing of a tenant as applied. Tenant and ServiceTier documents belong to the platform. */
export async function readStanding(tx: Transaction, tenantId: TenantId, slug: string): Promise<Standing> {
  if (tenantId === platformTenantId) return { suspended: false, eventsPerMinute: null }
  const tenant = await specOf(tx, formatAddress(slug, 'Tenant', slug))
  const tier =
    typeof tenant?.tier === 'string' ? await specOf(tx, formatAddress(platformSlug, 'ServiceTier', tenant.tier)) : null
  const quotas = isJsonObject(tier?.quotas) ? tier.quotas : {}
  const { eventsPerMinute } = quotas
  return {
    suspended: tenant?.state === 'suspended',
    eventsPerMinute: typeof eventsPerMinute === 'number' ? eventsPerMinute : null,
  }
}

async function specOf(tx: Transaction, address: Address): Promise<JsonObject | null> {
  const [receipt] = await readLastReceipts(tx, [{ tenantId: platformTenantId, address }])
  const digest = receipt?.receipted_digest
  if (!digest) return null
  const bytes = (await readContents(tx, [{ tenantId: platformTenantId, digest }])).get(digest)
  return bytes === undefined ? null : (JSON.parse(bytes.toString('utf8')) as ResourceContent).spec
}
