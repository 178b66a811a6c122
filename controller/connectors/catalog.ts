import { setImmediate as nextTurn } from 'node:timers/promises'
import { formatAddress, slugOf } from '../domain/address.ts'
import { type Address, type Digest, platformSlug, platformTenantId, type TenantId } from '../domain/ids.ts'
import { isJsonObject, type Json, type JsonObject } from '../domain/json.ts'
import type { ResourceContent } from '../domain/resource.ts'
import type { Database } from '../store/connect.ts'
import { readDrill } from '../store/connection-records.ts'
import { readContents } from '../store/contents.ts'
import { readKindMarks } from '../store/egress.ts'
import { type ReceiptedObject, readReceiptedRows } from '../store/objects.ts'

/** A Connection or a Connector as its last receipt left it. */
export interface CatalogEntry {
  readonly address: Address
  /** Stays when the object is renamed; null where its row is gone. */
  readonly id: string | null
  readonly name: string
  readonly digest: Digest
  /** Null when the content is gone or damaged: nothing of it runs until an apply brings it back. */
  readonly spec: JsonObject | null
}

export interface Installed extends CatalogEntry {
  /** The Connector it names: of its own domain first, then of `_platform`. */
  readonly connector: CatalogEntry | null
}

export interface DomainCatalog {
  readonly connections: readonly Installed[]
  /** Address ranges beyond the public internet that the applied Deployment names. */
  readonly allowPrivate: readonly string[]
  /** Programs that tenants' own connectors may start, as the applied Deployment lists them. */
  readonly mcpCommands: readonly string[]
}

const kinds = ['Connection', 'Connector', 'Deployment']
const specsMax = 5000

/**
 * What is installed in each domain, from receipted content. Read again whenever something of it was applied: the look
 * costs one indexed aggregate, and calls of one moment share it, whatever their domains.
 */
export class ConnectorCatalog {
  readonly #database: Database
  readonly #known = new Map<TenantId, { readonly mark: string; readonly catalog: DomainCatalog }>()
  /** The look that will begin with the next turn, and whom it is for. */
  #next: { readonly tenants: Set<TenantId>; readonly catalogs: Promise<ReadonlyMap<TenantId, DomainCatalog>> } | null =
    null
  /** Content by digest: what a binding was made from stays at hand while it is used. */
  readonly #specs = new Map<Digest, JsonObject>()

  constructor(database: Database) {
    this.#database = database
  }

  async of(tenantId: TenantId): Promise<DomainCatalog> {
    // The look has to begin after every call that shares it, or it could miss what was applied just before one.
    this.#next ??= { tenants: new Set(), catalogs: nextTurn().then(() => this.#look()) }
    const { tenants, catalogs } = this.#next
    tenants.add(tenantId)
    return (await catalogs).get(tenantId)!
  }

  /** A spec by digest: from memory, or from the store of contents. Null where the content is gone. */
  async spec(tenantId: TenantId, digest: Digest): Promise<JsonObject | null> {
    const known = this.known(digest)
    if (known !== null) return known
    const tenants = [tenantId, platformTenantId]
    const places = tenants.map((tenant) => ({ tenantId: tenant, digest }))
    const bytes = await this.#database.asWorker(tenants, (tx) => readContents(tx, places), { access: 'read only' })
    const content = bytes.get(digest)
    return content === undefined ? null : this.#keep(digest, content)
  }

  /** Whether a drill has shown that a tool of a connector's version keeps the promise of its `effect` class. */
  async isProven(tenantId: TenantId, connectorDigest: Digest, capability: string, effect: string): Promise<boolean> {
    const drill = await this.#database.asWorker(
      [tenantId],
      (tx) => readDrill(tx, tenantId, connectorDigest, capability),
      { access: 'read only' },
    )
    return drill?.passed === true && drill.effect === effect
  }

  /** A spec that was read before; null when it was not, or so long ago that it was dropped. */
  known(digest: Digest): JsonObject | null {
    return this.#specs.get(digest) ?? null
  }

  /** One look for every domain that was asked about in this turn: of fifty tenants it costs what it costs of one. */
  #look(): Promise<ReadonlyMap<TenantId, DomainCatalog>> {
    const asked = [...this.#next!.tenants]
    this.#next = null
    const tenants = [...new Set([...asked, platformTenantId])]
    return this.#database.asWorker(
      tenants,
      async (tx) => {
        const marks = await readKindMarks(tx, tenants, kinds)
        const markOf = (tenant: TenantId): string => `${marks.get(tenant) ?? ''} ${marks.get(platformTenantId) ?? ''}`
        const moved = asked.filter((tenant) => this.#known.get(tenant)?.mark !== markOf(tenant))
        if (moved.length > 0) {
          const objects = await readReceiptedRows(tx, [...new Set([...moved, platformTenantId])], kinds)
          for (const tenant of moved) {
            const visible = objects.filter(({ tenant_id }) => tenant_id === tenant || tenant_id === platformTenantId)
            this.#known.set(tenant, { mark: markOf(tenant), catalog: this.#compose(tenant, visible) })
          }
        }
        return new Map(asked.map((tenant) => [tenant, this.#known.get(tenant)!.catalog]))
      },
      { access: 'read only', isolation: 'repeatable read' },
    )
  }

  #compose(tenantId: TenantId, objects: readonly ReceiptedObject[]): DomainCatalog {
    const entries = new Map(objects.map((object) => [object.address, this.#entry(object)]))
    const own = objects.filter((object) => object.tenant_id === tenantId && object.kind === 'Connection')
    const found = objects.find((object) => object.kind === 'Deployment')
    const deployment = found ? (entries.get(found.address)?.spec ?? null) : null
    return {
      connections: own.map((object) => {
        const entry = entries.get(object.address)!
        const named = entry.spec?.connector
        const candidates = [slugOf(object.address), platformSlug].map((slug) =>
          entries.get(formatAddress(slug, 'Connector', String(named))),
        )
        return { ...entry, connector: candidates.find((candidate) => candidate !== undefined) ?? null }
      }),
      allowPrivate: textsOf(isJsonObject(deployment?.egress) ? deployment.egress.allowPrivate : []),
      mcpCommands: textsOf(deployment?.mcpCommands),
    }
  }

  #entry(object: ReceiptedObject): CatalogEntry {
    const { address, digest, bytes } = object
    const name = address.slice(address.lastIndexOf('/') + 1)
    return { address, id: object.object_id, name, digest, spec: bytes === null ? null : this.#keep(digest, bytes) }
  }

  #keep(digest: Digest, bytes: Buffer): JsonObject {
    const { spec } = JSON.parse(bytes.toString('utf8')) as ResourceContent
    this.#specs.delete(digest)
    if (this.#specs.size >= specsMax) this.#specs.delete(this.#specs.keys().next().value as Digest)
    this.#specs.set(digest, spec)
    return spec
  }
}

function textsOf(value: Json | undefined): readonly string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : []
}
