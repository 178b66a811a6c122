import type { Address, Digest, TenantId } from '../domain/ids.ts'
import type { JsonObject } from '../domain/json.ts'
import type { Binding, Bound, Pinned } from '../executor/effects/connector.ts'
import type { ConnectorCatalog, Installed } from './catalog.ts'
import { hostOf } from './egress/destination.ts'
import { objectOf, RenderError, renderBaseUrl } from './request.ts'

/** What a binding stands on: both documents, by the digests it was made with. */
export interface Footing {
  readonly connection: JsonObject
  readonly connector: JsonObject
}

export function footingOf(catalog: ConnectorCatalog, bound: Bound): Footing {
  const connection = catalog.known(bound.connectionDigest)
  const connector = catalog.known(bound.connectorDigest)
  if (connection && connector) return { connection, connector }
  throw new RenderError('the content of the connection is not at hand any more: resolve it again')
}

/** The connection that offers a capability, and its tool: as applied now, or as `pinned` says it was. */
export async function bind(
  catalog: ConnectorCatalog,
  tenant: TenantId,
  capability: string,
  connection: string | null,
  pinned: Pinned | null,
): Promise<Binding> {
  if (pinned?.gone) return boundTo(catalog, tenant, goneOne(pinned, pinned.gone), capability, pinned)
  const { connections } = await catalog.of(tenant)
  const named = connection === null ? connections : connections.filter(({ name }) => name === connection)
  const candidates = offering(named, capability)
  const [only] = candidates
  if (only === undefined) return unbound(whyUnbound(named, capability, connection))
  if (candidates.length > 1) {
    const names = candidates.map(({ name }) => `\`${name}\``).join(', ')
    return unbound(`\`${capability}\` is offered by ${names}: one has to bind it`)
  }
  return boundTo(catalog, tenant, only, capability, pinned)
}

/** The connections that serve a capability: those bound to it where any is, else all that offer it. */
function offering(connections: readonly Installed[], capability: string): Installed[] {
  const candidates = connections.filter(({ spec, connector }) => {
    const tools = objectOf(connector?.spec?.tools)
    return Object.hasOwn(tools, capability) && objectOf(spec?.bindings)[capability] !== false
  })
  const bound = candidates.filter(({ spec }) => objectOf(spec?.bindings)[capability] === true)
  return bound.length > 0 ? bound : candidates
}

/** Where the calls of a connection go: the provider, or the sandbox its transport names. Throws a `RenderError`. */
export function baseUrlOf({ connection, connector }: Footing): string {
  const { transport } = connection
  const sandbox = objectOf(objectOf(transport).sandbox).baseUrl
  if (typeof sandbox === 'string') return sandbox
  return renderBaseUrl(String(objectOf(connector.http).baseUrl ?? ''), objectOf(connection.config))
}

/** The hosts a connection may reach: those it lists, else that of its base URL. */
export function egressOf({ connection }: Footing, baseUrl: string): readonly string[] {
  const { egress } = connection
  if (Array.isArray(egress)) return egress.map((host) => withoutSchemePort(String(host), baseUrl))
  const host = hostOf(baseUrl)
  return host === null ? [] : [host]
}

/** `acme.example.com:443` under https is how some write `acme.example.com`. */
function withoutSchemePort(host: string, baseUrl: string): string {
  const protocol = URL.parse(baseUrl)?.protocol ?? 'https:'
  return hostOf(`${protocol}//${host}`) ?? host
}

async function boundTo(
  catalog: ConnectorCatalog,
  tenant: TenantId,
  installed: Installed,
  capability: string,
  pinned: Pinned | null,
): Promise<Binding> {
  const connectionDigest = pinned?.connectionDigest ?? installed.digest
  const connectorDigest = pinned?.connectorDigest ?? installed.connector!.digest
  const connection = await catalog.spec(tenant, connectionDigest)
  const connector = await catalog.spec(tenant, connectorDigest)
  if (connection === null || connector === null) return unbound(gone(installed))
  if (connector.runtime !== 'http' && connector.runtime !== 'mcp') {
    return unbound(`tools of \`runtime: ${String(connector.runtime)}\` are carried out by nothing that is called`)
  }
  const tool = objectOf(connector.tools)[capability]
  if (tool === undefined) return unbound(`the connector has no tool \`${capability}\``)
  const [role] = Array.isArray(connection.as) ? connection.as : []
  return {
    kind: 'bound',
    tenant,
    connection: installed.address,
    connectionRole: String(role ?? installed.name),
    connector: installed.connector!.address,
    connectorDigest,
    connectionDigest,
    tool: await asProven(catalog, tenant, { connection, connector }, connectorDigest, capability),
    toolName: capability,
    config: objectOf(connection.config),
  }
}

/** The tool as it is recovered: one whose class has to be shown first, and was not, is `blind`. */
async function asProven(
  catalog: ConnectorCatalog,
  tenant: TenantId,
  { connection, connector }: Footing,
  connectorDigest: Digest,
  capability: string,
): Promise<JsonObject> {
  const tool = objectOf(objectOf(connector.tools)[capability])
  const { effect } = tool
  if (connection.requireDrill !== true || typeof effect !== 'string' || effect === 'read' || effect === 'blind')
    return tool
  if (await catalog.isProven(tenant, connectorDigest, capability, effect)) return tool
  return { ...tool, effect: 'blind' }
}

/** A connection as it was, whatever is applied under its name by now. */
function goneOne(pinned: Pinned, { connection, connector }: NonNullable<Pinned['gone']>): Installed {
  const was = (address: Address, digest: Digest) => ({
    address,
    id: null,
    name: address.slice(address.lastIndexOf('/') + 1),
    digest,
    spec: null,
  })
  return { ...was(connection, pinned.connectionDigest), connector: was(connector, pinned.connectorDigest) }
}

function whyUnbound(named: readonly Installed[], capability: string, connection: string | null): string {
  const broken = named.find(({ spec, connector }) => spec === null || connector === null || connector.spec === null)
  if (broken) return gone(broken)
  if (connection !== null && named.length === 0) return `there is no connection \`${connection}\``
  return `no connection offers \`${capability}\``
}

function gone(installed: Installed): string {
  return `the content of \`${installed.address}\` or its connector is gone: apply it again`
}

function unbound(reason: string): Binding {
  return { kind: 'unbound', reason }
}
