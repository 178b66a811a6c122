import { kindOf, slugOf } from '../domain/address.ts'
import { type Change, verbOf } from '../domain/change.ts'
import type { ChangeContents } from '../domain/classify.ts'
import type { AppliedObject, Drift } from '../domain/diff.ts'
import { type Address, type Digest, platformTenantId, type ReceiptId, type Slug, type TenantId } from '../domain/ids.ts'
import { isJsonObject, type JsonObject } from '../domain/json.ts'
import { type ResourceContent, saysProtected } from '../domain/resource.ts'
import { readRecentDeletes } from '../store/actions.ts'
import type { Database } from '../store/connect.ts'
import { readContents } from '../store/contents.ts'
import { type DeploymentRow, readDeployment } from '../store/deployment.ts'
import { type DomainRow, readDomains } from '../store/domains.ts'
import { type ObjectRow, readLastReceipts, readObjects } from '../store/objects.ts'
import { type BreakGlassRow, readBreakGlass, readSuspensions, type SuspensionRow } from '../store/runtime-records.ts'

export interface ActualObject extends AppliedObject {
  readonly tenantId: TenantId
  readonly objectId: string
  readonly receiptId: ReceiptId
  readonly labels: { readonly [key: string]: string }
  readonly source: JsonObject
  readonly commit: string | null
  readonly protected: boolean
  readonly appliedAt: string
}

/** What is applied, as one snapshot of the database shows it. */
export interface Actual {
  readonly deployment: DeploymentRow
  readonly domains: ReadonlyMap<Slug, DomainRow>
  readonly objects: readonly ActualObject[]
  readonly tombstones: ReadonlyMap<Address, number>
  /** Objects whose row disagrees with its receipt although neither says that anything is applied. */
  readonly strayRows: readonly Address[]
  readonly recentlyDeleted: readonly Address[]
  readonly suspensions: ReadonlyMap<Address, SuspensionRow>
  readonly breakGlass: BreakGlassRow | null
}

const hourMs = 60 * 60 * 1000

export async function readActual(database: Database, now: Date): Promise<Actual> {
  const domains = await database.asWorker([], readDomains, { access: 'read only' })
  const tenants = domains.map((domain) => domain.tenant_id)
  return database.asWorker(
    tenants,
    async (tx) => {
      const rows = await readObjects(tx, tenants)
      const suspensions = await readSuspensions(tx, now.toISOString())
      return {
        deployment: (await readDeployment(tx))!,
        domains: new Map(domains.map((domain) => [domain.slug, domain])),
        ...sortRows(rows),
        recentlyDeleted: await readRecentDeletes(tx, tenants, new Date(now.getTime() - hourMs).toISOString()),
        suspensions: new Map(suspensions.map((suspension) => [suspension.address, suspension])),
        breakGlass: await readBreakGlass(tx, now.toISOString()),
      }
    },
    { access: 'read only', isolation: 'repeatable read' },
  )
}

/**
 * Objects that the ledger says are applied although their row is gone. Asked only for addresses about to be created:
 * the cost grows with the change, not with the repository.
 */
export async function findLostObjects(
  database: Database,
  actual: Actual,
  addresses: readonly Address[],
): Promise<AppliedObject[]> {
  const places = addresses.flatMap((address) => {
    const tenantId = tenantOf(actual, address)
    return tenantId === null ? [] : [{ tenantId, address }]
  })
  if (places.length === 0) return []
  const tenants = [...new Set(places.map((place) => place.tenantId))]
  const receipts = await database.asWorker(tenants, (tx) => readLastReceipts(tx, places), { access: 'read only' })
  return receipts.flatMap((receipt) => {
    if (receipt.receipted_digest === null || receipt.receipted_generation === null) return []
    const [, kind] = receipt.address.split('/')
    return [
      {
        address: receipt.address,
        slug: slugOf(receipt.address),
        kind: kind!,
        generation: receipt.receipted_generation,
        digest: receipt.receipted_digest,
        references: [],
        drift: 'missing' as const,
      },
    ]
  })
}

/** The domain an address is receipted in: its own, but Tenant documents in `_platform`. Null while it does not exist. */
export function tenantOf(actual: Pick<Actual, 'domains'>, address: Address): TenantId | null {
  const [slug, kind] = address.split('/')
  if (kind === 'Tenant') return platformTenantId
  return actual.domains.get(slug as Slug)?.tenant_id ?? null
}

/** The contents of applied objects by digest; what is gone or damaged is missing from the answer. */
export async function readApplied(
  database: Database,
  objects: readonly { readonly tenantId: TenantId; readonly digest: Digest }[],
): Promise<Map<Digest, ResourceContent>> {
  const tenants = [...new Set(objects.map((object) => object.tenantId))]
  const bytes = await database.asWorker(tenants, (tx) => readContents(tx, objects), { access: 'read only' })
  return new Map(
    [...bytes].map(([digest, content]) => [digest, JSON.parse(content.toString('utf8')) as ResourceContent]),
  )
}

/** Objects with the protection that their content says they were applied with, where a plan deletes them. */
export function withProtection(
  objects: readonly ActualObject[],
  changes: readonly Change[],
  contents: (change: Change) => ChangeContents,
): ActualObject[] {
  const deletions = new Map(changes.filter((change) => verbOf(change) === 'delete').map((each) => [each.address, each]))
  return objects.map((object) => {
    const deletion = deletions.get(object.address)
    return deletion && saysProtected(contents(deletion).before) ? { ...object, protected: true } : object
  })
}

function sortRows(rows: readonly ObjectRow[]): Pick<Actual, 'objects' | 'tombstones' | 'strayRows'> {
  const objects: ActualObject[] = []
  const tombstones = new Map<Address, number>()
  const strayRows: Address[] = []
  for (const row of rows) {
    const generation = Math.max(row.receipted_generation ?? 0, row.digest === null ? row.generation : 0)
    if (row.receipted_digest === null) {
      tombstones.set(row.address, generation)
      if (row.digest !== null) strayRows.push(row.address)
      continue
    }
    objects.push({
      address: row.address,
      slug: slugOf(row.address),
      kind: kindOf(row.address),
      tenantId: row.tenant_id,
      objectId: row.object_id,
      generation: row.receipted_generation!,
      digest: row.receipted_digest,
      references: row.refs,
      drift: driftOf(row),
      receiptId: row.receipted_by!,
      labels: row.labels,
      source: isJsonObject(row.source) ? row.source : {},
      commit: row.commit_sha,
      protected: row.deletion_protection,
      appliedAt: row.applied_at,
    })
  }
  return { objects, tombstones, strayRows }
}

function driftOf(row: ObjectRow): Drift | null {
  const sameReceipt = row.receipt_id === row.receipted_by
  const sameKind = row.kind === kindOf(row.address)
  const samePointer = row.generation === row.receipted_generation && row.digest === row.receipted_digest
  if (!sameReceipt || !samePointer || !sameKind) return 'pointer'
  return row.content_intact ? null : 'content'
}
