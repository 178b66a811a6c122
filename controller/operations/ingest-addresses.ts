import { withDefaults } from '../../schemas/index.ts'
import type { Installed } from '../connectors/catalog.ts'
import { isReachable } from '../connectors/egress/address.ts'
import { objectOf } from '../connectors/request.ts'
import { kindOf, slugOf } from '../domain/address.ts'
import { FibricError } from '../domain/errors.ts'
import { platformTenantId, type Slug } from '../domain/ids.ts'
import { isJsonObject, type JsonObject } from '../domain/json.ts'
import type { ResourceContent } from '../domain/resource.ts'
import type { Database } from '../store/connect.ts'
import { readReceipted } from '../store/objects.ts'

export interface IngestAddresses {
  /**
   * The URL at which a provider reaches a webhook of a connection; null where it cannot. Without a connection: whatever it
   * would be for one.
   */
  of(slug: Slug, connection: string, eventType: string, installed: Installed | null): string | null
}

/** FIBRIC_PUBLIC_URL: where this deployment is reached from outside; null where nobody said. */
export function settlePublicUrl(environment: NodeJS.ProcessEnv): string | null {
  const text = environment.FIBRIC_PUBLIC_URL
  if (!text) return null
  const url = URL.parse(text)
  if (url && /^https?:$/.test(url.protocol) && url.pathname === '/') return url.origin
  throw new FibricError('USAGE', `FIBRIC_PUBLIC_URL is \`${text.slice(0, 200)}\`, which is no address`, {
    hint: 'write scheme and host alone: FIBRIC_PUBLIC_URL=https://fibric.example.com',
  })
}

/**
 * Where providers reach this deployment: under the address it was told (`FIBRIC_PUBLIC_URL`), else on a host of the tenant. An
 * address of this machine alone is told to providers of this machine alone.
 */
export async function ingestAddresses(database: Database, origin: string | null): Promise<IngestAddresses> {
  const objects = await database.asWorker(
    [platformTenantId],
    (tx) => readReceipted(tx, [platformTenantId], ['Tenant', 'Deployment']),
    { access: 'read only' },
  )
  const specs = objects.flatMap(({ address, bytes }) =>
    bytes === null ? [] : [{ address, spec: (JSON.parse(bytes.toString('utf8')) as ResourceContent).spec }],
  )
  const deployment = specs.find(({ address }) => kindOf(address) === 'Deployment')?.spec ?? {}
  const hostOf = (slug: Slug): string | null => {
    const tenant = specs.find(({ address }) => kindOf(address) === 'Tenant' && slugOf(address) === slug)?.spec
    return [...hostsOfDeployment(deployment, slug), ...texts(tenant?.hosts)].find((host) => !isLocal(host)) ?? null
  }
  return {
    of(slug, connection, eventType, installed) {
      const path = `ingest/${encodeURIComponent(connection)}/${encodeURIComponent(eventType)}`
      const url = origin === null ? null : new URL(`/v1/t/${slug}/${path}`, origin)
      if (url !== null && !isLocal(url.hostname)) return url.href
      const host = hostOf(slug)
      if (host !== null) return `https://${host}/v1/${path}`
      return url !== null && (installed === null || isHere(installed)) ? url.href : null
    },
  }
}

function hostsOfDeployment(deployment: JsonObject, slug: Slug): string[] {
  const { hostDomains } = withDefaults('Deployment', deployment)
  if (!Array.isArray(hostDomains)) return []
  return hostDomains.flatMap((item: unknown) => {
    if (!isJsonObject(item)) return [`${slug}.${String(item)}`]
    return item.tenant === slug ? [String(item.domain)] : []
  })
}

/** Whether the provider is on this machine too. */
function isHere({ spec, connector }: Installed): boolean {
  const { transport } = spec ?? {}
  const sandbox = objectOf(objectOf(transport).sandbox).baseUrl
  const base = String(sandbox ?? objectOf(connector?.spec?.http).baseUrl ?? objectOf(connector?.spec?.mcp).url ?? '')
  // The port, as a rule, is what the connection's config says.
  return /^https?:\/\/(?:localhost|127\.0\.0\.1|\[::1\])[:/]/.test(`${base}/`)
}

function isLocal(host: string): boolean {
  const name = host.replace(/^\[|\]$/g, '')
  return name === 'localhost' || name.endsWith('.localhost') || (/^[\d.:a-f]+$/i.test(name) && !isReachable(name, []))
}

function texts(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : []
}
