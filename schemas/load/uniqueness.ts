import { formatAddress } from '../../controller/domain/address.ts'
import type { Placed } from './facts.ts'
import type { Findings } from './findings.ts'
import { type LoadedResource, type ResourceIndex, reportConflict } from './resources.ts'

/** What may exist once in the deployment, whatever domain it is written in: hosts, identities, former names. */
export function checkUniqueness(index: ResourceIndex, findings: Findings): void {
  const hosts = new Claimants()
  const identities = new Claimants()
  const formerNames = new Claimants()
  const domains = tenantDomains(index)
  for (const resource of index.values()) {
    if (resource.inheritedFrom) continue
    const { claims, previously } = resource.facts
    if (claims.of === 'tenant') addHosts(resource, claims.hosts, index, domains, hosts)
    if (claims.of === 'deployment') for (const domain of claims.domains) hosts.add(domain.value, resource, domain)
    if (claims.of === 'user')
      for (const identity of claims.identities) identities.add(identity.value, resource, identity)
    if (previously) checkFormerName(resource, previously, index, formerNames, findings)
  }
  hosts.report(
    'HOST_TAKEN',
    (host) => `the host \`${host}\` is bound more than once`,
    'a host selects exactly one tenant',
    findings,
  )
  identities.report(
    'IDENTITY_TAKEN',
    (identity) => `\`${shortened(identity)}\` belongs to more than one User`,
    'an email or key belongs to one User of the deployment',
    findings,
  )
  formerNames.report(
    'PREVIOUSLY_TWICE',
    (address) => `more than one resource was previously \`${address}\``,
    'keep `previously` in one of them',
    findings,
  )
}

/** A host `<slug>.<domain of the deployment>` belongs to the tenant of that slug without being listed. */
function addHosts(
  resource: LoadedResource,
  listed: readonly Placed[],
  index: ResourceIndex,
  domains: readonly string[],
  hosts: Claimants,
): void {
  for (const host of listed) {
    hosts.add(host.value, resource, host)
    const [slug = '', ...rest] = host.value.split('.')
    const owner = domains.includes(rest.join('.')) ? index.get(formatAddress(slug, 'Tenant', slug)) : undefined
    if (owner && owner !== resource) hosts.add(host.value, owner, { value: host.value, place: owner.facts.namePlace })
  }
}

function tenantDomains(index: ResourceIndex): readonly string[] {
  for (const { facts } of index.values()) if (facts.claims.of === 'deployment') return facts.claims.hostDomains
  return ['localhost', 'fibric.localhost']
}

function checkFormerName(
  resource: LoadedResource,
  previously: Placed,
  index: ResourceIndex,
  formerNames: Claimants,
  findings: Findings,
): void {
  const address = formerAddress(resource, previously.value)
  const { path } = resource
  const { place } = previously
  const still = index.get(address)
  if (address === resource.address) {
    const message = `\`${previously.value}\` is the name the resource has`
    findings.add({ code: 'PREVIOUSLY_ITSELF', message, hint: 'remove `previously`', path, place })
  } else if (still && !still.inheritedFrom) {
    const message = `\`${address}\` still exists, so nothing was renamed`
    const related = [{ message: 'here', path: still.path, place: still.facts.namePlace }]
    findings.add({
      code: 'PREVIOUSLY_EXISTS',
      message,
      hint: 'remove `previously`, or the other document',
      path,
      place,
      related,
    })
  } else {
    formerNames.add(address, resource, previously)
  }
}

/** The address a resource had under another name; a version stays. */
export function formerAddress({ slug, facts }: LoadedResource, name: string) {
  const at = facts.name.indexOf('@')
  return formatAddress(slug, facts.kind, at === -1 ? name : `${name}${facts.name.slice(at)}`)
}

class Claimants {
  readonly #byValue = new Map<string, [LoadedResource, Placed['place']][]>()

  add(value: string, resource: LoadedResource, { place }: Placed): void {
    const known = this.#byValue.get(value)
    if (known) known.push([resource, place])
    else this.#byValue.set(value, [[resource, place]])
  }

  report(code: string, message: (value: string) => string, hint: string, findings: Findings): void {
    for (const [value, places] of this.#byValue) {
      if (places.length > 1) reportConflict(places, code, message(value), hint, findings)
    }
  }
}

function shortened(identity: string): string {
  return identity.length > 60 ? `${identity.slice(0, 60)}…` : identity
}
