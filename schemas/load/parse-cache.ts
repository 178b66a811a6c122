import { hash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Json } from '../../controller/domain/json.ts'
import { CacheFile } from './cache-file.ts'
import type { FileFacts } from './facts.ts'
import type { RepositorySummary } from './load.ts'

/** What earlier runs learned about files, by their bytes. Losing it costs time and nothing else. */
export interface ParseCache {
  /** Digest of the bytes behind a tree entry's token; undefined when it was not seen before. */
  digestOf(token: string): string | undefined
  rememberDigest(token: string, digest: string): void
  facts(key: string): FileFacts | undefined
  rememberFacts(key: string, facts: FileFacts): void
  /** What was computed from more than one file, by what it was computed from. */
  result(key: string): Json | undefined
  rememberResult(key: string, result: Json): void
  /** The last load's result, when it had this key. */
  repository(key: string): RepositorySummary | undefined
  rememberRepository(key: string, summary: RepositorySummary): void
  /** Writes what this run used; what several runs in a row did not use is dropped. */
  save(): void
}

/** A cache that lives as long as the process. */
export function memoryParseCache(): ParseCache {
  const digests = new Map<string, string>()
  const facts = new Map<string, FileFacts>()
  const results = new Map<string, Json>()
  return {
    digestOf: (token) => digests.get(token),
    rememberDigest: (token, digest) => void digests.set(token, digest),
    facts: (key) => facts.get(key),
    rememberFacts: (key, value) => void facts.set(key, value),
    result: (key) => results.get(key),
    rememberResult: (key, value) => void results.set(key, value),
    repository: () => undefined,
    rememberRepository: () => {},
    save: () => {},
  }
}

/**
 * A cache in a directory (`.fibric/cache`): one file of what is known about documents, one of the last result.
 *
 * It belongs to one version of the engine: facts depend on the schemas and on this code as much as on the bytes. A file
 * that cannot be read is as good as none; one that cannot be written makes the next run slow, not wrong.
 */
export function openParseCache(directory: string): ParseCache {
  const engine = engineDigest()
  const documentsFile = new CacheFile(directory, 'documents.json', engine)
  const repositoryFile = new CacheFile(directory, 'repository.json', engine)
  const empty = (): Documents => ({ digests: {}, facts: {}, results: {} })
  const used = empty()
  let stored: Documents | null = null
  let documentsChanged = false
  let repository: StoredRepository | null = null
  // Read when first asked for: an unchanged repository needs only the other file.
  const known = (): Documents => {
    stored ??= documentsFile.read<Documents>() ?? empty()
    return stored
  }
  const recall = <Table extends keyof Documents>(table: Table, key: string): Documents[Table][string] | undefined => {
    const entries: Documents[Table] = known()[table]
    const value = (used[table][key] ?? entries[key]) as Documents[Table][string] | undefined
    if (value !== undefined) used[table][key] = value
    return value
  }
  const remember = <Table extends keyof Documents>(
    table: Table,
    key: string,
    value: Documents[Table][string],
  ): void => {
    used[table][key] = value
    documentsChanged = true
  }
  return {
    digestOf: (token) => recall('digests', token),
    rememberDigest: (token, digest) => remember('digests', token, digest),
    facts: (key) => recall('facts', key),
    rememberFacts: (key, facts) => remember('facts', key, facts),
    result: (key) => recall('results', key),
    rememberResult: (key, result) => remember('results', key, result),
    repository: (key) => {
      const last = repositoryFile.read<StoredRepository>()
      return last?.key === key ? last.summary : undefined
    },
    rememberRepository: (key, summary) => {
      repository = { key, summary }
    },
    save: () => {
      if (documentsChanged) {
        keepUnused(used.digests, known().digests)
        keepUnused(used.facts, known().facts)
        keepUnused(used.results, known().results)
        documentsFile.write(used)
      }
      if (repository) repositoryFile.write(repository)
    },
  }
}

/** Other revisions of a repository are read in turns with this one; only when they outgrow it are they forgotten. */
function keepUnused<Value>(used: { [key: string]: Value }, stored: { readonly [key: string]: Value }): void {
  const unused = Object.keys(stored).filter((key) => !Object.hasOwn(used, key))
  if (unused.length > Object.keys(used).length + 1000) return
  for (const key of unused) used[key] = stored[key]!
}

interface Documents {
  readonly digests: { [token: string]: string }
  readonly facts: { [key: string]: FileFacts }
  readonly results: { [key: string]: Json }
}

interface StoredRepository {
  readonly key: string
  readonly summary: RepositorySummary
}

/** Digest of the code and schemas that facts are computed by: 60 small files, 3 ms, and never out of date. */
function engineDigest(): string {
  const schemas = join(import.meta.dirname, '..')
  const domain = join(schemas, '..', 'controller', 'domain')
  const texts: string[] = []
  for (const folder of [schemas, join(schemas, 'load'), join(schemas, 'kinds'), join(schemas, 'rules'), domain]) {
    for (const entry of readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))) {
      if (entry.isFile()) texts.push(entry.name, readFileSync(join(folder, entry.name), 'utf8'))
    }
  }
  return hash('sha256', texts.join('\0'), 'hex')
}
