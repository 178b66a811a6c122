import type { FastifyRequest } from 'fastify'
import { withDefaults } from '../../schemas/index.ts'
import { kindOf, slugOf } from '../domain/address.ts'
import { platformTenantId, type Slug, type TenantId } from '../domain/ids.ts'
import { isJsonObject, type Json, type JsonObject } from '../domain/json.ts'
import type { ResourceContent } from '../domain/resource.ts'
import type { Engine } from '../engine.ts'
import { readDomains } from '../store/domains.ts'
import { readReceipted } from '../store/objects.ts'
import { type ApiSettings, isLoopback, networks, normalHost } from './settings.ts'

/** What the Host header says: the deployment itself, one tenant, or nothing we know. */
export type Binding =
  | { readonly kind: 'own' }
  | { readonly kind: 'tenant'; readonly tenantId: TenantId }
  | { readonly kind: 'unknown' }

const staleAfterMs = 1000

/**
 * Which host is whose, from the Tenants and the Deployment as they were receipted: a row changed by hand moves nothing.
 * Looked up again once a second at most.
 */
export function hostBinding(engine: Engine, settings: ApiSettings): (request: FastifyRequest) => Promise<Binding> {
  const isTrusted = networks(settings.trustedProxies)
  const isOwn = (host: string): boolean => settings.ownHosts?.has(host) ?? isLoopback(host)
  let table: Promise<ReadonlyMap<string, TenantId>> | null = null
  let readAtMs = Number.NEGATIVE_INFINITY

  async function tenantHosts(): Promise<ReadonlyMap<string, TenantId>> {
    const nowMs = performance.now()
    if (table === null || nowMs - readAtMs > staleAfterMs) {
      readAtMs = nowMs
      table = readHosts(engine)
      table.catch(() => {
        table = null // whoever asked gets the error; the next one asks again
      })
    }
    return table
  }

  return async (request) => {
    const host = hostOf(request, isTrusted)
    if (host === null) return { kind: 'unknown' }
    if (isOwn(host)) return { kind: 'own' }
    const tenantId = (await tenantHosts()).get(host)
    return tenantId === undefined ? { kind: 'unknown' } : { kind: 'tenant', tenantId }
  }
}

/** The host asked for; a proxy's word for it counts only where the proxy is trusted. */
function hostOf(request: FastifyRequest, isTrusted: (address: string) => boolean): string | null {
  const forwarded = request.headers['x-forwarded-host']
  const peer = request.raw.socket.remoteAddress ?? ''
  if (forwarded !== undefined && isTrusted(peer)) {
    // The proxy nearest to us wrote the last one.
    return normalHost([forwarded].flat().at(-1)!.split(',').at(-1)!.trim())
  }
  const { host } = request.headers
  return host === undefined ? null : normalHost(host)
}

async function readHosts(engine: Engine): Promise<ReadonlyMap<string, TenantId>> {
  const { domains, objects } = await engine.database.asWorker(
    [platformTenantId],
    async (tx) => ({
      domains: await readDomains(tx),
      objects: await readReceipted(tx, [platformTenantId], ['Tenant', 'Deployment']),
    }),
    { access: 'read only' },
  )
  const ids = new Map(domains.map((domain) => [domain.slug, domain.tenant_id]))
  const specs = objects.flatMap(({ address, bytes }) =>
    bytes === null ? [] : [{ address, spec: (JSON.parse(bytes.toString('utf8')) as ResourceContent).spec }],
  )
  const deployment = specs.find(({ address }) => kindOf(address) === 'Deployment')?.spec ?? {}
  const hosts = new Map<string, TenantId>()
  const claim = (host: string, slug: string): void => {
    const id = ids.get(slug as Slug)
    const normal = normalHost(host)
    if (id !== undefined && normal !== null && !hosts.has(normal)) hosts.set(normal, id)
  }
  // First what the deployment says: no Tenant takes another's host by naming it.
  for (const domain of hostDomainsOf(deployment)) {
    if (typeof domain === 'string') {
      for (const slug of ids.keys()) if (!slug.startsWith('_')) claim(`${slug}.${domain}`, slug)
    } else {
      claim(domain.domain, domain.tenant)
    }
  }
  for (const { address, spec } of specs) {
    if (kindOf(address) === 'Tenant') for (const host of namesIn(spec.hosts)) claim(host, slugOf(address))
  }
  return hosts
}

function hostDomainsOf(deployment: JsonObject): (string | { domain: string; tenant: string })[] {
  const { hostDomains } = withDefaults('Deployment', deployment)
  if (!Array.isArray(hostDomains)) return []
  return hostDomains.map((item: Json) =>
    isJsonObject(item) ? { domain: String(item.domain), tenant: String(item.tenant) } : String(item),
  )
}

function namesIn(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : []
}
