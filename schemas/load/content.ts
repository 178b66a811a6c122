import { digestBytes, digestJson } from '../../controller/domain/digest.ts'
import type { Address, Digest } from '../../controller/domain/ids.ts'
import type { Json, JsonObject } from '../../controller/domain/json.ts'
import type { ResourceContent } from '../../controller/domain/resource.ts'
import type { FileTree } from './file-tree.ts'
import { withFiles } from './referenced-files.ts'
import type { LoadedResource, ResourceIndex } from './resources.ts'

// Callers ask in the order of addresses, which is nearly that of files; one file may hold thousands of documents.
const parsedFilesMax = 64

/** Reads contents and files again when they are asked for: most runs ask for few, and none need to stay in memory. */
export function contentReader(tree: FileTree, index: ResourceIndex, pathByDigest: ReadonlyMap<Digest, string>) {
  const parsed = new Map<string, readonly (Json | undefined)[]>()

  const valuesOf = async (resource: LoadedResource): Promise<readonly (Json | undefined)[]> => {
    const { path } = resource.file.file.entry
    const known = parsed.get(path)
    if (known) return known
    const [{ decodeText }, { parseYaml }] = await Promise.all([import('./decode.ts'), import('./parse-yaml.ts')])
    const values = parseYaml(decodeText(await tree.read(path)).text).documents.map(({ value }) => value)
    if (parsed.size >= parsedFilesMax) parsed.delete(parsed.keys().next().value as string)
    parsed.set(path, values)
    return values
  }

  return {
    content: async (address: Address): Promise<ResourceContent> => {
      const resource = index.get(address)
      if (!resource?.digest) throw new Error(`there is no loaded resource \`${address}\``)
      const { facts, path, inheritedFrom, digest } = resource
      const value = (await valuesOf(resource))[facts.index]
      if (value === undefined) throw changed(path)
      const { contentOf, pausedContent } = await import('./analyse-document.ts')
      const { isKind } = await import('../index.ts')
      if (!isKind(facts.kind)) throw changed(path)
      let content = contentOf(facts.kind, value as JsonObject)
      if (facts.files.length > 0) content = withFiles(content, facts.files, resource.fileDigests)
      if (inheritedFrom) content = pausedContent(content)
      if (digestJson(content as unknown as Json) !== digest) throw changed(path)
      return content
    },
    file: async (digest: Digest): Promise<Buffer> => {
      const path = pathByDigest.get(digest)
      if (path === undefined) throw new Error(`no loaded resource refers to a file with the digest \`${digest}\``)
      const bytes = await tree.read(path)
      if (digestBytes(bytes) !== digest) throw changed(path)
      return bytes
    },
  }
}

function changed(path: string): Error {
  return new Error(`\`${path}\` changed while the repository was being read`)
}
