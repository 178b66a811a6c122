import { formatAddress } from '../../controller/domain/address.ts'
import type { Address, Digest, Slug } from '../../controller/domain/ids.ts'
import type { DocumentFacts, Placed } from './facts.ts'
import { compareText, type Findings } from './findings.ts'
import { platformFolder } from './paths.ts'
import type { ReadFile } from './read-documents.ts'

/** A resource of one domain: written for it, or inherited by a sandbox. */
export interface LoadedResource {
  readonly address: Address
  readonly slug: Slug
  readonly path: string
  readonly file: ReadFile
  readonly facts: DocumentFacts
  readonly inheritedFrom: Address | null
  /** Filled in by `readReferencedFiles`. */
  digest: Digest | null
  files: { readonly [path: string]: Digest }
  /** In the order of `facts.files`. */
  fileDigests: readonly Digest[]
  /** Filled in by `resolveReferences`. */
  references: readonly Address[]
}

export type ResourceIndex = ReadonlyMap<Address, LoadedResource>

/** Every resource by its address; of documents that claim the same address the first counts, and all are reported. */
export function indexResources(files: readonly ReadFile[], findings: Findings): Map<Address, LoadedResource> {
  const claimants = new Map<Address, LoadedResource[]>()
  for (const file of files) {
    for (const facts of file.facts.documents) {
      const { slug, path } = file.file
      const resource = loadedResource(file, facts, slug, path, null)
      const others = claimants.get(resource.address)
      if (others) others.push(resource)
      else claimants.set(resource.address, [resource])
    }
  }
  const index = new Map<Address, LoadedResource>()
  for (const [address, same] of claimants) {
    index.set(address, same[0]!)
    if (same.length > 1)
      reportConflict(
        same.map((each) => [each, each.facts.namePlace]),
        'DUPLICATE_ADDRESS',
        `\`${address}\` is written more than once`,
        'rename one, or remove it',
        findings,
      )
  }
  onlyOneDeployment(index, findings)
  oneTenantAFolder(files, index, findings)
  inherit(index, findings)
  return index
}

export function loadedResource(
  file: ReadFile,
  facts: DocumentFacts,
  slug: string,
  path: string,
  inheritedFrom: Address | null,
): LoadedResource {
  const address = formatAddress(slug, facts.kind, facts.name)
  return {
    address,
    slug: slug as Slug,
    path,
    file,
    facts,
    inheritedFrom,
    digest: null,
    files: {},
    fileDigests: [],
    references: [],
  }
}

/** As many other places as are shown beside one; a hostile repository has thousands that conflict. */
export const relatedMax = 5

/** Reports a conflict at each of its places, with some of the others beside it. */
export function reportConflict(
  places: readonly (readonly [LoadedResource, Placed['place']])[],
  code: string,
  message: string,
  hint: string | null,
  findings: Findings,
): void {
  for (const [index, [resource, place]] of places.entries()) {
    const shown = places.slice(0, relatedMax + 1).filter((_, other) => other !== index)
    const related = shown
      .slice(0, relatedMax)
      .map(([other, otherPlace]) => ({ message: 'also here', path: other.path, place: otherPlace }))
    findings.add({ code, message, hint, path: resource.path, place, related })
  }
}

function onlyOneDeployment(index: ResourceIndex, findings: Findings): void {
  const all = [...index.values()].filter(({ facts }) => facts.kind === 'Deployment')
  if (all.length < 2) return
  const places = all.map((each) => [each, each.facts.namePlace] as const)
  reportConflict(places, 'DEPLOYMENT_TWICE', 'there is more than one Deployment', 'keep one', findings)
}

function oneTenantAFolder(files: readonly ReadFile[], index: ResourceIndex, findings: Findings): void {
  const first = new Map<string, ReadFile>()
  const mayHoldTenant = new Set<string>()
  for (const file of files) {
    const { slug, role } = file.file
    if (slug === platformFolder || role === 'deployment' || file.facts.foreign) continue
    // A file with an error may be the one that holds the Tenant; its own error is the one to mend.
    if (file.facts.problems.some(({ severity }) => severity === 'error')) mayHoldTenant.add(slug)
    else if (file.facts.documents.length > 0 && !first.has(slug)) first.set(slug, file)
  }
  for (const [slug, file] of first) {
    if (index.has(formatAddress(slug, 'Tenant', slug)) || mayHoldTenant.has(slug)) continue
    const message = `the folder \`tenants/${slug}\` has no Tenant`
    const hint = `add \`tenants/${slug}/tenant.yaml\` with \`kind: Tenant\` and \`name: ${slug}\``
    findings.add({ code: 'TENANT_MISSING', message, hint, path: file.file.path, place: file.facts.documents[0]!.place })
  }
}

/** Adds what each sandbox inherits, as rows of its own; what lies in its own folder replaces it. */
function inherit(index: Map<Address, LoadedResource>, findings: Findings): void {
  const bySlug = new Map<string, LoadedResource[]>()
  const sandboxes: LoadedResource[] = []
  for (const resource of index.values()) {
    const list = bySlug.get(resource.slug)
    if (list) list.push(resource)
    else bySlug.set(resource.slug, [resource])
    if (resource.facts.claims.of === 'tenant' && resource.facts.claims.sandboxOf) sandboxes.push(resource)
  }
  for (const sandbox of sandboxes.sort((a, b) => compareText(a.slug, b.slug))) {
    const parent = offeringTenant(sandbox, index, findings)
    for (const original of parent ? (bySlug.get(parent) ?? []) : []) {
      if (!original.facts.inherited) continue
      const { file, facts, path, address } = original
      const copy = loadedResource(file, facts, sandbox.slug, path, address)
      if (!index.has(copy.address)) index.set(copy.address, copy)
    }
  }
}

/** The tenant a sandbox inherits from, when that tenant says so too. */
function offeringTenant(sandbox: LoadedResource, index: ResourceIndex, findings: Findings): string | null {
  const { claims } = sandbox.facts
  if (claims.of !== 'tenant' || !claims.sandboxOf) return null
  const { value: parentSlug, place } = claims.sandboxOf
  // A tenant that is not there at all is reported as every unknown reference is.
  const parent = index.get(formatAddress(parentSlug, 'Tenant', parentSlug))?.facts.claims
  if (parent?.of !== 'tenant') return null
  const { path, slug } = sandbox
  if (parent.sandboxOf) {
    const message = `\`${parentSlug}\` is itself a sandbox, and nothing inherits from one`
    findings.add({
      code: 'SANDBOX_NOT_OFFERED',
      message,
      hint: `name \`${parent.sandboxOf.value}\` instead`,
      path,
      place,
    })
    return null
  }
  if (parent.sandboxes.includes(slug)) return parentSlug
  const message = `\`${parentSlug}\` does not list \`${slug}\` among its sandboxes`
  const hint = `add \`sandboxes: [${slug}]\` to the Tenant \`${parentSlug}\``
  findings.add({ code: 'SANDBOX_NOT_OFFERED', message, hint, path, place })
  return null
}
