import type { Bound } from '../executor/effects/connector.ts'
import type { JsonObject } from '../domain/json.ts'
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

/** The connections that serve a capability: those bound to it where any is, else all that offer it. */
export function offering(connections: readonly Installed[], capability: string): Installed[] {
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
