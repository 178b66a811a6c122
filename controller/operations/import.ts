import { apiVersion, kindInfo } from '../../schemas/index.ts'
import { kindOf, slugOf } from '../domain/address.ts'
import { FibricError } from '../domain/errors.ts'
import type { Address, Digest } from '../domain/ids.ts'
import { isJsonObject, type Json, type JsonObject } from '../domain/json.ts'
import type { ResourceContent } from '../domain/resource.ts'
import type { Engine } from '../engine.ts'
import { type ActualObject, readActual, readApplied } from '../reconciler/actual.ts'
import { readContents } from '../store/contents.ts'
import { requireScope } from '../tenancy/actor.ts'
import { visibleDomains } from './domains.ts'

/** A file of the repository that would give what is applied. */
export interface ImportedFile {
  readonly path: string
  readonly content: { readonly document: JsonObject } | { readonly bytes: Buffer }
}

/**
 * The repository that is applied: one file a resource, and the files they refer to. Planning it right after changes
 * nothing. What a sandbox inherits stands in its origin's folder alone.
 */
export async function importState(
  engine: Engine,
  tenant: string | null,
  only: readonly Address[],
): Promise<ImportedFile[]> {
  requireScope(engine.actor, 'config:read')
  const domains = await visibleDomains(engine, tenant)
  const slugs = new Set(domains.map((domain) => domain.slug))
  const actual = await readActual(engine.database, engine.clock())
  const objects = actual.objects.filter(
    (object) => slugs.has(slugOf(object.address)) && (only.length === 0 || only.includes(object.address)),
  )
  const contents =
    objects.length === 0 ? new Map<Digest, ResourceContent>() : await readApplied(engine.database, objects)
  const own = withoutInherited(objects, contents)
  const files: ImportedFile[] = []
  for (const object of own) {
    const content = contents.get(object.digest)
    if (!content) throw contentGone(object.address)
    const home = folderOf(object.address)
    const names = await importFiles(engine, object, content, home, files)
    const path = object.kind === 'Deployment' ? 'fibric.yaml' : `${home}/${fileName(object.address)}.yaml`
    files.push({ path, content: { document: documentOf(content, names, home) } })
  }
  return files.sort((a, b) => (a.path < b.path ? -1 : 1))
}

function folderOf(address: Address): string {
  const slug = slugOf(address)
  const kind = kindOf(address)
  return kind === 'Tenant' ? `tenants/${slug}` : `tenants/${slug}/${kindInfo(kind)?.plural ?? kind.toLowerCase()}`
}

function fileName(address: Address): string {
  return kindOf(address) === 'Tenant' ? 'tenant' : address.slice(address.lastIndexOf('/') + 1)
}

/** A sandbox's row that says what its origin says is inherited: writing it twice would only hide that. */
function withoutInherited(
  objects: readonly ActualObject[],
  contents: ReadonlyMap<Digest, ResourceContent>,
): readonly ActualObject[] {
  const originOf = new Map<string, string>()
  for (const object of objects) {
    const origin = contents.get(object.digest)?.spec.sandboxOf
    if (object.kind === 'Tenant' && typeof origin === 'string') originOf.set(slugOf(object.address), origin)
  }
  const digests = new Map(objects.map((object) => [object.address, object.digest]))
  return objects.filter((object) => {
    const origin = originOf.get(slugOf(object.address))
    if (origin === undefined || !kindInfo(object.kind)?.inherited) return true
    const inherited = object.address.replace(`${slugOf(object.address)}/`, `${origin}/`) as Address
    if (object.kind === 'Schedule') return !digests.has(inherited)
    return digests.get(inherited) !== object.digest
  })
}

/** Brings the files a resource refers to, and answers digest → path below the repository. */
async function importFiles(
  engine: Engine,
  object: ActualObject,
  content: ResourceContent,
  home: string,
  files: ImportedFile[],
): Promise<Map<Digest, string>> {
  const digests = fileDigests(content.spec)
  const known = new Map(
    Object.entries((object.source.files ?? {}) as JsonObject).map(([path, digest]) => [digest as Digest, path]),
  )
  const places = digests.map((digest) => ({ tenantId: object.tenantId, digest }))
  const stored = await engine.database.asWorker([object.tenantId], (tx) => readContents(tx, places), {
    access: 'read only',
  })
  const names = new Map<Digest, string>()
  for (const digest of digests) {
    const bytes = stored.get(digest)
    if (!bytes) throw contentGone(object.address)
    const path = known.get(digest) ?? `${home}/files/${digest.slice(7, 23)}`
    names.set(digest, path)
    if (!files.some((file) => file.path === path)) files.push({ path, content: { bytes } })
  }
  return names
}

function fileDigests(value: Json): Digest[] {
  if (Array.isArray(value)) return value.flatMap(fileDigests)
  if (!isJsonObject(value)) return []
  if (isFileReference(value)) return [value.file as Digest]
  return Object.values(value).flatMap(fileDigests)
}

function isFileReference(value: JsonObject): boolean {
  return Object.keys(value).length === 1 && typeof value.file === 'string' && value.file.startsWith('sha256:')
}

function documentOf(content: ResourceContent, names: ReadonlyMap<Digest, string>, home: string): JsonObject {
  // Version stands in spec; the name of a versioned resource does not repeat it.
  return {
    apiVersion,
    kind: content.kind,
    metadata: content.metadata as unknown as JsonObject,
    spec: withPaths(content.spec, names, home) as JsonObject,
  }
}

function withPaths(value: Json, names: ReadonlyMap<Digest, string>, home: string): Json {
  if (Array.isArray(value)) return value.map((item) => withPaths(item, names, home))
  if (!isJsonObject(value)) return value
  if (isFileReference(value)) return { file: relativeTo(home, names.get(value.file as Digest)!) }
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, withPaths(item, names, home)]))
}

function relativeTo(home: string, path: string): string {
  const from = home.split('/')
  const to = path.split('/')
  let shared = 0
  while (shared < from.length && from[shared] === to[shared]) shared++
  return [...from.slice(shared).map(() => '..'), ...to.slice(shared)].join('/')
}

function contentGone(address: Address): FibricError {
  return new FibricError('STATE_CONFLICT', `the content of \`${address}\` is gone from the database`, {
    hint: 'repair it first: fibric drift --heal',
  })
}
