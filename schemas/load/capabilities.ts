import { formatAddress } from '../../controller/domain/address.ts'
import type { Json } from '../../controller/domain/json.ts'
import { closest } from '../suggest.ts'
import type { Claims, Placed } from './facts.ts'
import type { Findings } from './findings.ts'
import { platformFolder } from './paths.ts'
import { type LoadedResource, type ResourceIndex, relatedMax } from './resources.ts'

/** What one domain's connections and skills offer its operators. */
export interface DomainOffers {
  /** Capability → the connections that offer it, `bindings` considered. */
  readonly connections: ReadonlyMap<string, readonly LoadedResource[]>
  readonly skills: ReadonlySet<string>
  /** Capability → the schemas of what it answers; event type → the schemas of its payload. */
  readonly outputs: ReadonlyMap<string, readonly Json[]>
  readonly events: ReadonlyMap<string, readonly Json[]>
  /** Changes whenever one of the schemas may have. */
  readonly key: string
}

/** Judges what operators ask for by what their domain offers, and returns the offers by slug. */
export function checkCapabilities(index: ResourceIndex, findings: Findings): ReadonlyMap<string, DomainOffers> {
  const domains = gather(index)
  for (const resource of index.values()) {
    const { claims } = resource.facts
    const offers = domains.get(resource.slug)
    if (claims.of !== 'operator' || !offers) continue
    for (const capability of claims.capabilities) checkCapability(resource, capability, offers, findings)
  }
  return domains
}

function gather(index: ResourceIndex): Map<string, DomainOffers> {
  const builders = new Map<string, OffersBuilder>()
  const builderOf = (slug: string) => {
    const known = builders.get(slug) ?? new OffersBuilder()
    builders.set(slug, known)
    return known
  }
  const shared: string[] = []
  for (const resource of index.values()) {
    const { claims } = resource.facts
    if (claims.of === 'operator') builderOf(resource.slug)
    else if (claims.of === 'skill' && resource.slug === platformFolder) shared.push(claims.capability)
    else if (claims.of === 'skill') builderOf(resource.slug).skills.add(claims.capability)
    else if (claims.of === 'connection') {
      const connector = connectorOf(resource.slug, claims.connector, index)
      if (connector) builderOf(resource.slug).addConnection(resource, claims, connector)
    }
  }
  return new Map([...builders].map(([slug, builder]) => [slug, builder.build(shared)]))
}

function connectorOf(slug: string, name: string, index: ResourceIndex): LoadedResource | undefined {
  return (
    index.get(formatAddress(slug, 'Connector', name)) ?? index.get(formatAddress(platformFolder, 'Connector', name))
  )
}

class OffersBuilder {
  readonly skills = new Set<string>()
  readonly #offering = new Map<string, { resource: LoadedResource; bound: boolean }[]>()
  readonly #outputs = new Map<string, Json[]>()
  readonly #events = new Map<string, Json[]>()
  readonly #connectors = new Set<LoadedResource>()

  addConnection(resource: LoadedResource, claims: Claims & { of: 'connection' }, connector: LoadedResource): void {
    const offered = connector.facts.claims
    if (offered.of !== 'connector') return
    for (const capability of Object.keys(offered.tools)) {
      // `false` says that this connection is not the one.
      const bound = claims.bindings[capability]
      if (bound !== false) append(this.#offering, capability, { resource, bound: bound === true })
    }
    if (this.#connectors.has(connector)) return
    this.#connectors.add(connector)
    for (const [capability, output] of Object.entries(offered.tools)) append(this.#outputs, capability, output)
    for (const [eventType, schema] of Object.entries(offered.events)) append(this.#events, eventType, schema)
  }

  build(sharedSkills: readonly string[]): DomainOffers {
    const connections = new Map<string, readonly LoadedResource[]>()
    for (const [capability, offering] of this.#offering) {
      const bound = offering.filter((each) => each.bound)
      connections.set(
        capability,
        (bound.length > 0 ? bound : offering).map(({ resource }) => resource),
      )
    }
    return {
      connections,
      skills: new Set([...this.skills, ...sharedSkills]),
      outputs: this.#outputs,
      events: this.#events,
      key: [...this.#connectors]
        .map(({ file, facts }) => `${file.key}#${facts.index}`)
        .sort()
        .join(' '),
    }
  }
}

function append<Item>(lists: Map<string, Item[]>, key: string, item: Item): void {
  const list = lists.get(key)
  if (list) list.push(item)
  else lists.set(key, [item])
}

function checkCapability(operator: LoadedResource, capability: Placed, offers: DomainOffers, findings: Findings): void {
  const { value, place } = capability
  const { path, slug, inheritedFrom } = operator
  const connections = offers.connections.get(value) ?? []
  if (connections.length > 1) {
    findings.add({
      code: 'CAPABILITY_AMBIGUOUS',
      message: `\`${value}\` is offered by ${connections.length} connections of \`${slug}\``,
      hint: `write \`bindings: {${value}: true}\` in one of them`,
      path,
      place,
      related: connections.slice(0, relatedMax).map((other) => ({
        message: 'offered here',
        path: other.path,
        place: other.facts.namePlace,
      })),
    })
  } else if (connections.length === 0 && !offers.skills.has(value) && !value.startsWith('config.')) {
    const near = closest(value, [...offers.connections.keys(), ...offers.skills])
    const forWhom = inheritedFrom ? `in \`${slug}\`, which inherits the operator, nothing` : `nothing in \`${slug}\``
    findings.add({
      code: 'CAPABILITY_NOT_OFFERED',
      severity: 'warning',
      message: `${forWhom} offers \`${value}\``,
      hint: near ? `did you mean \`${near}\`?` : 'the operator is not Ready until a connection or skill offers it',
      path,
      place,
    })
  }
}
