import { formatAddress } from '../domain/address.ts'
import { type Address, type Digest, platformSlug, platformTenantId, type TenantId } from '../domain/ids.ts'
import { isJsonObject, type Json, type JsonObject } from '../domain/json.ts'
import type { ResourceContent } from '../domain/resource.ts'
import type { Database } from '../store/connect.ts'
import { readContents } from '../store/contents.ts'
import { readLastReceipts } from '../store/objects.ts'
import type { Transaction } from '../store/tenancy.ts'
import type { Verification } from './verify.ts'

/** What the tenant's applied Connection and its Connector say of one webhook. */
export interface WebhookInForce {
  readonly verification: Verification
  readonly credential: string | null
  readonly config: JsonObject
  readonly payload: Json
  readonly key: Json | null
  readonly schema: JsonObject | null
  readonly bigNumbers: 'refuse' | 'string'
}

export interface WebhookName {
  readonly tenantId: TenantId
  readonly slug: string
  readonly connection: string
  readonly eventType: string
}

/** The webhook of a tenant's Connection, by receipted content; null where there is none by these names. */
export async function resolveWebhook(database: Database, name: WebhookName): Promise<WebhookInForce | null> {
  const found = await resolveEvent(database, name)
  if (found === null || found.event.kind !== 'webhook' || !isJsonObject(found.event.verify)) return null
  const { event, connection } = found
  return {
    verification: event.verify as unknown as Verification,
    credential: typeof connection.credential === 'string' ? connection.credential : null,
    config: member(connection, 'config') ?? {},
    payload: event.payload ?? '${request.body}',
    key: event.idempotencyKey ?? null,
    schema: member(event, 'schema'),
    bigNumbers: event.bigNumbers === 'string' ? 'string' : 'refuse',
  }
}

/** What a tenant's Connection and its Connector say of one event now; null where there is none by these names. */
export async function resolveEvent(
  database: Database,
  name: WebhookName,
): Promise<{ readonly connection: JsonObject; readonly event: JsonObject } | null> {
  return database.asWorker(
    [name.tenantId, platformTenantId],
    async (tx) => {
      const { tenantId, slug } = name
      const connection = await applied(tx, [{ tenantId, address: formatAddress(slug, 'Connection', name.connection) }])
      if (connection === null) return null
      const versioned = String(connection.spec.connector)
      const connector = await applied(tx, [
        { tenantId, address: formatAddress(slug, 'Connector', versioned) },
        { tenantId: platformTenantId, address: formatAddress(platformSlug, 'Connector', versioned) },
      ])
      if (connector === null) return null
      const event = member(member(connector.spec, 'events'), name.eventType)
      return event && { connection: connection.spec, event }
    },
    { access: 'read only' },
  )
}

interface Place {
  readonly tenantId: TenantId
  readonly address: Address
}

/** The content of the first of some addresses that has something applied and intact. */
async function applied(tx: Transaction, places: readonly Place[]): Promise<ResourceContent | null> {
  const receipts = await readLastReceipts(tx, places)
  const digests = new Map(receipts.map((receipt) => [receipt.address, receipt.receipted_digest]))
  const found = places.flatMap(({ tenantId, address }) => {
    const digest = digests.get(address)
    return digest ? [{ tenantId, digest }] : []
  })
  const [first] = found
  if (!first) return null
  const known = contents.get(first.digest)
  if (known) return known
  const bytes = (await readContents(tx, [first])).get(first.digest)
  if (!bytes) return null
  const content = JSON.parse(bytes.toString('utf8')) as ResourceContent
  if (contents.size >= contentsMax) contents.delete(contents.keys().next().value!)
  contents.set(first.digest, content)
  return content
}

/** Content never changes under its digest. */
const contents = new Map<Digest, ResourceContent>()
const contentsMax = 1000

function member(object: JsonObject | null, name: string): JsonObject | null {
  const value = object !== null && Object.hasOwn(object, name) ? object[name] : undefined
  return isJsonObject(value) ? value : null
}
