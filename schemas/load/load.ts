import type { Address, Digest, Slug } from '../../controller/domain/ids.ts'
import type { DesiredResource, ResourceContent } from '../../controller/domain/resource.ts'
import type { Diagnostic } from '../diagnostic.ts'
import { checkCapabilities } from './capabilities.ts'
import { contentReader } from './content.ts'
import { reportCycles } from './cycles.ts'
import type { FileTree, TreeEntry } from './file-tree.ts'
import { compareText, Findings } from './findings.ts'
import { type Listing, readListing } from './listing.ts'
import { checkModels } from './models.ts'
import { checkOperatorExpressions } from './operator-expressions.ts'
import { memoryParseCache, type ParseCache } from './parse-cache.ts'
import { platformFolder, roleOf } from './paths.ts'
import { type ReadFile, readDocuments, subjectOf } from './read-documents.ts'
import { readReferencedFiles } from './referenced-files.ts'
import { resolveReferences } from './references.ts'
import { indexResources, type LoadedResource, type ResourceIndex } from './resources.ts'
import { checkSettings } from './settings.ts'
import { checkTenants } from './tenants.ts'
import { treeKey } from './tree-key.ts'
import { checkUniqueness, formerAddress } from './uniqueness.ts'

export interface LoadOptions {
  /** What earlier runs learned; without one, everything is parsed. Saved before the result is returned. */
  readonly cache?: ParseCache
  /** Paths that applied objects came from: a file there that cannot be parsed is an error whatever its text says. */
  readonly appliedPaths?: ReadonlySet<string>
}

export interface LoadedRepository {
  /** Every resource that could be read, inherited ones included, by address. */
  readonly resources: readonly DesiredResource[]
  /** Everything that is wrong, by path and line. */
  readonly diagnostics: readonly Diagnostic[]
  /** `_platform` and every folder below `tenants/`, by slug. */
  readonly domains: readonly LoadedDomain[]
  /** The content whose digest a resource carries. Throws when the tree changed since it was loaded. */
  content(address: Address): Promise<ResourceContent>
  /** The bytes of a file that a resource refers to, by their digest. */
  file(digest: Digest): Promise<Buffer>
}

export interface LoadedDomain {
  readonly slug: Slug
  /** Some file of it cannot be read, parsed or validated: nothing of the domain may be deleted. */
  readonly broken: boolean
}

/**
 * Reads and judges a whole repository: every problem at once, none of them thrown. The result depends on the files alone,
 * not on the order they are listed in, nor on the cache.
 */
export async function loadRepository(tree: FileTree, options: LoadOptions = {}): Promise<LoadedRepository> {
  const { cache = memoryParseCache(), appliedPaths } = options
  const entries = await tree.list()
  const key = await treeKey(tree, entries, appliedPaths)
  const known = key === null ? undefined : cache.repository(key)
  if (known) return withLazyContent(known, () => loadEntries(tree, entries, cache, appliedPaths))

  const loaded = await loadEntries(tree, entries, cache, appliedPaths)
  const { resources, diagnostics, domains } = loaded
  const settled = !diagnostics.some(({ code }) => code === 'FILE_UNREADABLE')
  if (key !== null && settled) cache.rememberRepository(key, { resources, diagnostics, domains })
  cache.save()
  return loaded
}

/** What a load found, without the ways to its contents: what is kept for the next load of the same files. */
export type RepositorySummary = Pick<LoadedRepository, 'resources' | 'diagnostics' | 'domains'>

async function loadEntries(
  tree: FileTree,
  entries: readonly TreeEntry[],
  cache: ParseCache,
  appliedPaths: ReadonlySet<string> | undefined,
): Promise<LoadedRepository> {
  const findings = new Findings()
  const listing = await readListing(tree, entries, findings)
  const files = await readDocuments(tree, listing.documents, cache, findings)
  for (const file of files) await reportLocal(tree, file, appliedPaths, findings)

  const index = indexResources(files, findings)
  const pathByDigest = await readReferencedFiles(tree, listing, index.values(), cache, findings)
  resolveReferences(index, findings)
  reportCycles(index, findings)
  checkTenants(index, findings)
  checkUniqueness(index, findings)
  checkModels(index, findings)
  await checkSettings(index, cache, findings)
  const offers = checkCapabilities(index, findings)
  await checkOperatorExpressions(index, offers, cache, findings)

  return {
    resources: [...index.values()].flatMap(desired).sort((a, b) => compareText(a.address, b.address)),
    diagnostics: await findings.sorted(tree),
    domains: domainsOf(listing, index, findings),
    ...contentReader(tree, index, pathByDigest),
  }
}

/** Most callers of an unchanged repository never ask for a content; the first that does pays for the load. */
function withLazyContent(summary: RepositorySummary, load: () => Promise<LoadedRepository>): LoadedRepository {
  let loading: Promise<LoadedRepository> | null = null
  const loaded = () => {
    loading ??= load()
    return loading
  }
  return {
    ...summary,
    content: async (address) => (await loaded()).content(address),
    file: async (digest) => (await loaded()).file(digest),
  }
}

async function reportLocal(
  tree: FileTree,
  { file, facts }: ReadFile,
  appliedPaths: ReadonlySet<string> | undefined,
  findings: Findings,
): Promise<void> {
  let { problems } = facts
  if (facts.foreign) {
    if (!appliedPaths?.has(file.path)) return
    const { analyseFile } = await import('./analyse-file.ts')
    problems = analyseFile(await tree.read(file.entry.path), { ...subjectOf(file), applied: true }).problems
  }
  for (const problem of problems) findings.addLocal(file.path, problem)
}

/** A resource whose files cannot be read has no digest, and is left out: its domain is broken. */
function desired(resource: LoadedResource): DesiredResource[] {
  const { address, slug, facts, digest, path, files, references, inheritedFrom } = resource
  if (digest === null) return []
  const [line, column] = facts.place
  return [
    {
      ...{ address, slug, digest, references, inheritedFrom },
      kind: facts.kind,
      name: facts.name,
      previously: facts.previously ? formerAddress(resource, facts.previously.value) : null,
      labels: facts.labels,
      source: { path, line, column, files },
    },
  ]
}

function domainsOf(listing: Listing, index: ResourceIndex, findings: Findings): LoadedDomain[] {
  const broken = new Set<string | null>()
  for (const path of findings.pathsWithErrors()) broken.add(roleOf(path).slug)
  // What a sandbox inherits from a broken domain is not all there either.
  for (const { slug, facts } of index.values()) {
    if (facts.claims.of === 'tenant' && facts.claims.sandboxOf && broken.has(facts.claims.sandboxOf.value))
      broken.add(slug)
  }
  const slugs = new Set([platformFolder, ...listing.slugs])
  return [...slugs].sort(compareText).map((slug) => ({ slug: slug as Slug, broken: broken.has(slug) }))
}
