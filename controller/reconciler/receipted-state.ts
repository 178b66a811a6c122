import { kindOf, slugOf } from '../domain/address.ts'
import type { AppliedObject } from '../domain/diff.ts'
import { digestJson } from '../domain/digest.ts'
import { FibricError } from '../domain/errors.ts'
import type { Address, Digest } from '../domain/ids.ts'
import type { PlannedChange } from '../domain/plan.ts'
import type { DesiredResource, ResourceContent, ResourceSource } from '../domain/resource.ts'
import { readLastProposals } from '../store/actions.ts'
import type { Database } from '../store/connect.ts'
import { readContents } from '../store/contents.ts'
import { type Actual, readApplied, tenantOf } from './actual.ts'
import type { Desired } from './desired.ts'

/**
 * What the receipts say is applied, as a desired state: a plan against it contains the repair of every drifted object
 * and nothing else. Content that is gone is taken from `repository`, to the digest.
 */
export async function receiptedState(
  database: Database,
  actual: Actual,
  lost: readonly AppliedObject[],
  repository: Desired['repository'] | null,
): Promise<Desired> {
  const objects: readonly AppliedObject[] = [...actual.objects, ...lost]
  const places = objects.flatMap((object) => {
    const tenantId = tenantOf(actual, object.address)
    return tenantId === null || object.drift === null
      ? []
      : [{ tenantId, digest: object.digest, address: object.address }]
  })
  const stored = places.length === 0 ? new Map<Digest, ResourceContent>() : await readApplied(database, places)
  const tenants = [...new Set(places.map((place) => place.tenantId))]
  const proposals = await database.asWorker(tenants, (tx) => readLastProposals(tx, places), { access: 'read only' })
  const byApplied = new Map(actual.objects.map((object) => [object.address, object]))
  const wanted = new Map(repository?.resources.map((resource) => [resource.address, resource]))
  const resources = objects.map((object): DesiredResource => {
    const planned = proposals.get(object.address) as unknown as PlannedChange | undefined
    const known = byApplied.get(object.address)
    return {
      address: object.address,
      slug: slugOf(object.address),
      kind: kindOf(object.address),
      name: object.address.slice(object.address.lastIndexOf('/') + 1),
      digest: object.digest,
      previously: null,
      labels: known?.labels ?? {},
      references: planned?.references ?? object.references,
      source: planned?.source ?? (known?.source as unknown as ResourceSource) ?? emptySource,
      inheritedFrom: null,
    }
  })
  const byAddress = new Map(resources.map((resource) => [resource.address, resource]))
  const content = async (address: Address): Promise<ResourceContent> => {
    const { digest } = byAddress.get(address)!
    const intact = stored.get(digest)
    if (intact) return intact
    if (repository && wanted.get(address)?.digest === digest) return repository.content(address)
    throw new FibricError(
      'STATE_CONFLICT',
      `the content of \`${address}\` is gone, and the repository holds another version`,
      {
        hint: 'apply the repository: it replaces what is damaged',
      },
    )
  }
  const file = async (digest: Digest): Promise<Buffer> => {
    const places = [...actual.domains.values()].map((domain) => ({ tenantId: domain.tenant_id, digest }))
    const tenants = places.map((place) => place.tenantId)
    const found = await database.asWorker(tenants, (tx) => readContents(tx, places), { access: 'read only' })
    const bytes = found.get(digest)
    if (bytes) return bytes
    if (repository) return repository.file(digest)
    throw new FibricError('STATE_CONFLICT', `the file \`${digest}\` is gone`, { hint: 'apply the repository' })
  }
  const tree = digestJson(resources.map((resource) => [resource.address, resource.digest]))
  return {
    repository: { resources, diagnostics: [], domains: [], content, file },
    git: null,
    tree,
    provenance: () =>
      Promise.resolve({ rev: null, uncommitted: new Set(), source: { kind: 'directory', commit: null, tree } }),
  }
}

const emptySource: ResourceSource = { path: '', line: 1, column: 1, files: {} }
