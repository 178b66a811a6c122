import type { TenantId } from '../domain/ids.ts'
import type { Json, JsonObject } from '../domain/json.ts'
import type { CredentialSource, PreparedCredential } from './auth/credentials.ts'
import { baseUrlOf, egressOf, type Footing } from './binding.ts'
import type { ConnectorCatalog } from './catalog.ts'
import type { EgressBroker } from './egress/broker.ts'
import type { AllowList } from './egress/destination.ts'
import type { McpCaller } from './mcp/caller.ts'
import { objectOf, type RenderedRequest } from './request.ts'

/** What carries a call: where things are, who we are, and the way out. */
export interface Carrier {
  readonly catalog: ConnectorCatalog
  readonly credentials: CredentialSource
  readonly broker: EgressBroker
  readonly mcp: McpCaller
}

/** Where one request of a connection may go, and what lets it in there. */
export async function reach(
  { catalog, credentials }: Pick<Carrier, 'catalog' | 'credentials'>,
  { tenant, config }: { readonly tenant: TenantId; readonly config: JsonObject },
  footing: Footing,
  request: RenderedRequest,
  { name, deadlineMs, signal }: { name: Json | undefined; deadlineMs: number; signal: AbortSignal | null },
  baseUrl: string = baseUrlOf(footing),
): Promise<{ readonly allowed: AllowList; readonly credential: PreparedCredential }> {
  const { allowPrivate } = await catalog.of(tenant)
  const credential = await credentials.prepare({
    tenantId: tenant,
    name: typeof name === 'string' ? name : null,
    auth: objectOf(footing.connector.auth),
    config,
    request,
    allowPrivate,
    deadlineMs,
    signal,
  })
  return { allowed: { hosts: egressOf(footing, baseUrl), allowPrivate }, credential }
}
