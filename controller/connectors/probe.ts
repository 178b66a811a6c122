import type { Digest, TenantId } from '../domain/ids.ts'
import { baseUrlOf, type Footing } from './binding.ts'
import type { Carrier } from './carrier.ts'
import type { Installed } from './catalog.ts'
import type { McpTool } from './mcp/client.ts'
import { askOnce } from './read.ts'
import { objectOf, RenderError, renderRequest } from './request.ts'

/** Whether a connection is alive, and if not, why not. */
export type Probe =
  | {
      readonly kind: 'alive'
      /** HTTP status; null of an MCP server. */
      readonly status: number | null
      readonly tookMs: number
      readonly server?: ShownServer
    }
  | {
      readonly kind: 'failed'
      readonly reason: string
      readonly status: number | null
      readonly server?: ShownServer
    }
  /** The connector says no way of finding out. */
  | { readonly kind: 'unprobed'; readonly reason: string }

/** What an MCP server offers: for a person to look at before writing its digest into the Connector. */
export interface ShownServer {
  readonly toolsDigest: Digest
  readonly tools: readonly McpTool[]
}

const timeoutMs = 10_000

/** Makes the request of the connector's `probe`, with the credential reads use, and compares the status. */
export async function probe(carrier: Carrier, tenant: TenantId, installed: Installed): Promise<Probe> {
  const { spec, connector } = installed
  if (spec === null || !connector?.spec) return failed('its content or that of its connector is gone: apply it again')
  const { probe: described, runtime } = connector.spec
  if (runtime === 'mcp') return askServer(carrier, tenant, installed)
  if (runtime !== 'http') return { kind: 'unprobed', reason: `\`runtime: ${String(runtime)}\` calls nothing` }
  if (described === undefined) return { kind: 'unprobed', reason: 'its connector has no `probe`' }
  try {
    return await ask(carrier, tenant, { connection: spec, connector: connector.spec })
  } catch (error) {
    if (error instanceof RenderError) return failed(error.message)
    throw error
  }
}

async function ask(carrier: Carrier, tenant: TenantId, footing: Footing): Promise<Probe> {
  const config = objectOf(footing.connection.config)
  const described = objectOf(footing.connector.probe)
  const request = renderRequest(objectOf(described.http), baseUrlOf(footing), { config })
  const startedMs = performance.now()
  const asked = await askOnce(carrier, { tenant, config }, footing, request, {
    vouched: false,
    timeoutMs,
    signal: null,
  })
  if ('problem' in asked) return failed(asked.problem, asked.status)
  const { status } = asked.answer
  const expected = Number(objectOf(described.expect).status ?? 200)
  if (status !== expected) return failed(`it answered HTTP ${status}, and ${expected} was expected`, status)
  return { kind: 'alive', status, tookMs: Math.round(performance.now() - startedMs) }
}

/** An MCP server is alive when it lists its tools, and well when they are those that the connector pins. */
async function askServer(carrier: Carrier, tenant: TenantId, installed: Installed): Promise<Probe> {
  const { address, digest, spec } = installed
  const connector = installed.connector!
  const place = {
    tenant,
    connection: address,
    connectionDigest: digest,
    connector: connector.address,
    connectorDigest: connector.digest,
    footing: { connection: spec!, connector: connector.spec! },
    credential: spec!.readCredential ?? spec!.credential,
  }
  const startedMs = performance.now()
  try {
    const listing = await carrier.mcp.list(place, { deadlineMs: startedMs + timeoutMs, signal: null })
    const server = { toolsDigest: listing.digest, tools: listing.tools }
    const pinned = objectOf(connector.spec!.mcp).toolsDigest
    if (pinned === listing.digest) {
      return { kind: 'alive', status: null, tookMs: Math.round(performance.now() - startedMs), server }
    }
    const reason =
      pinned === undefined
        ? 'the connector pins no tools: look at them, then write `mcp.toolsDigest` down'
        : `Drifted: its tools are not those the connector pins (${String(pinned)})`
    return { ...failed(reason), server }
  } catch (error) {
    return failed((error as Error).message)
  }
}

function failed(reason: string, status: number | null = null): Probe & { readonly kind: 'failed' } {
  return { kind: 'failed', reason, status }
}
