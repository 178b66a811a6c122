import { digestJson } from '../../controller/domain/digest.ts'
import type { Digest } from '../../controller/domain/ids.ts'
import type { Json, JsonObject } from '../../controller/domain/json.ts'
import type { ResourceContent } from '../../controller/domain/resource.ts'
import type { FileReferenceFact } from './facts.ts'
import type { FileTree } from './file-tree.ts'
import { compareText, type Findings } from './findings.ts'
import type { Listing } from './listing.ts'
import type { ParseCache } from './parse-cache.ts'
import { readDigest } from './read-documents.ts'
import type { LoadedResource } from './resources.ts'

/** Reads what `file:` references mean and completes the digests of the resources that hold them; returns digest → path. */
export async function readReferencedFiles(
  tree: FileTree,
  listing: Listing,
  resources: Iterable<LoadedResource>,
  cache: ParseCache,
  findings: Findings,
): Promise<Map<Digest, string>> {
  const pathByDigest = new Map<Digest, string>()
  const digestByPath = new Map<string, Digest | null>()

  const digestOf = async (resource: LoadedResource, reference: FileReferenceFact): Promise<[string, Digest] | null> => {
    const entry = listing.resolve(resource.file.file, reference.value)
    if (typeof entry === 'string') {
      if (!resource.inheritedFrom) findings.add(unresolved(resource, reference, entry))
      return null
    }
    let digest = digestByPath.get(entry.path)
    if (digest === undefined) {
      const read = await readDigest(tree, entry, entry.path, cache, findings)
      digest = read ? (read.digest as Digest) : null
      digestByPath.set(entry.path, digest)
      if (digest) pathByDigest.set(digest, entry.path)
    }
    return digest ? [entry.path, digest] : null
  }

  for (const resource of resources) {
    const { facts, inheritedFrom } = resource
    const found = []
    for (const reference of facts.files) found.push(await digestOf(resource, reference))
    if (facts.content === null || found.includes(null)) continue
    if ('digest' in facts.content) {
      resource.digest = (inheritedFrom && facts.sandboxDigest ? facts.sandboxDigest : facts.content.digest) as Digest
      continue
    }
    const files = found as [string, Digest][]
    resource.fileDigests = files.map(([, digest]) => digest)
    resource.files = Object.fromEntries(files.sort(([a], [b]) => compareText(a, b)))
    const content = withFiles(facts.content.unread as unknown as ResourceContent, facts.files, resource.fileDigests)
    resource.digest = digestJson(content as unknown as Json)
  }
  return pathByDigest
}

/** The content with each `{file: path}` replaced by `{file: digest}`. */
export function withFiles(
  content: ResourceContent,
  references: readonly FileReferenceFact[],
  digests: readonly Digest[],
): ResourceContent {
  let { spec } = content
  for (const [index, { pointer }] of references.entries()) {
    const segments = pointer.split('/').slice(2)
    spec = replaced(spec, segments, { file: digests[index]! }) as JsonObject
  }
  return { ...content, spec }
}

function replaced(value: Json, segments: readonly string[], by: Json): Json {
  const [segment, ...rest] = segments
  if (segment === undefined) return by
  const key = segment.replaceAll('~1', '/').replaceAll('~0', '~')
  if (Array.isArray(value)) return value.map((item, index) => (index === Number(key) ? replaced(item, rest, by) : item))
  const object = value as JsonObject
  return { ...object, [key]: replaced(object[key]!, rest, by) }
}

function unresolved(resource: LoadedResource, reference: FileReferenceFact, why: 'outside' | 'missing') {
  const { path } = resource
  const { value, place } = reference
  if (why === 'missing') {
    const hint = 'the path is relative to this document'
    return { code: 'FILE_MISSING', message: `there is no file \`${value}\``, hint, path, place }
  }
  const message = `the file \`${value}\` lies outside the folder of \`${resource.file.file.slug}\``
  return { code: 'FILE_OUTSIDE_TENANT', message, hint: 'copy it into the folder', path, place }
}
