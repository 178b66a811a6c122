import { hash } from 'node:crypto'
import { readdirSync, readFileSync, rmSync } from 'node:fs'
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
 * A cache in a directory (`.fibric/cache`): what is known about documents, what was learned about them since, and the
 * last result.
 *
 * It belongs to one version of the engine: facts depend on the schemas and on this code as much as on the bytes. A file
 * that cannot be read is as good as none; one that cannot be written makes the next run slow, not wrong.
 */
export function openParseCache(directory: string): ParseCache {
  const engine = engineDigest()
  const baseFile = new CacheFile(directory, 'documents.json', engine)
  const recentFile = new CacheFile(directory, 'documents-recent.json', engine)
  const repositoryFile = (key: string) =>
    new CacheFile(directory, `repository-${key.slice(0, 16)}.json`, `${engine} ${key}`)
  let base: Documents | null = null
  let recent = emptyDocuments()
  let changed = false
  const used = emptyDocuments()
  let repository: { readonly key: string; readonly summary: RepositorySummary } | null = null
  // Read when first asked for: an unchanged repository needs only its result.
  const known = (): Documents => {
    if (base === null) {
      base = baseFile.read<Documents>() ?? emptyDocuments()
      recent = recentFile.read<Documents>() ?? emptyDocuments()
    }
    return base
  }
  const recall = <Table extends keyof Documents>(table: Table, key: string): Documents[Table][string] | undefined => {
    const older: Documents[Table] = known()[table]
    const newer: Documents[Table] = recent[table]
    const value = (newer[key] ?? older[key]) as Documents[Table][string] | undefined
    if (value !== undefined) used[table][key] = value
    return value
  }
  const remember = <Table extends keyof Documents>(
    table: Table,
    key: string,
    value: Documents[Table][string],
  ): void => {
    known()
    recent[table][key] = value
    used[table][key] = value
    changed = true
  }
  const saveDocuments = () => {
    // Writing everything again takes as long as validating a changed file.
    if (sizeOf(recent) * 10 < sizeOf(known())) return recentFile.write(recent)
    for (const table of tables) keepUnused<unknown>(used[table], known()[table])
    baseFile.write(used)
    recentFile.remove()
  }
  return {
    digestOf: (token) => recall('digests', token),
    rememberDigest: (token, digest) => remember('digests', token, digest),
    facts: (key) => recall('facts', key),
    rememberFacts: (key, facts) => remember('facts', key, facts),
    result: (key) => recall('results', key),
    rememberResult: (key, result) => remember('results', key, result),
    repository: (key) => repositoryFile(key).read<RepositorySummary>() ?? undefined,
    rememberRepository: (key, summary) => {
      repository = { key, summary }
    },
    save: () => {
      if (changed) saveDocuments()
      if (!repository) return
      removeRepositories(directory)
      repositoryFile(repository.key).write(repository.summary)
    },
  }
}

const tables = ['digests', 'facts', 'results'] as const

function emptyDocuments(): Documents {
  return { digests: {}, facts: {}, results: {} }
}

function sizeOf({ digests, facts, results }: Documents): number {
  return Object.keys(digests).length + Object.keys(facts).length + Object.keys(results).length
}

/** Other revisions of a repository are read in turns with this one; only when they outgrow it are they forgotten. */
function keepUnused<Value>(used: { [key: string]: Value }, stored: { readonly [key: string]: Value }): void {
  const unused = Object.keys(stored).filter((key) => !Object.hasOwn(used, key))
  if (unused.length > Object.keys(used).length + 1000) return
  for (const key of unused) used[key] = stored[key]!
}

/** Results are large, and only the last one is likely to be asked for again. */
function removeRepositories(directory: string): void {
  try {
    for (const name of readdirSync(directory)) {
      if (name.startsWith('repository-')) rmSync(join(directory, name), { force: true })
    }
  } catch {
    // There is no cache yet, or it cannot be written: then nothing will be.
  }
}

interface Documents {
  readonly digests: { [token: string]: string }
  readonly facts: { [key: string]: FileFacts }
  readonly results: { [key: string]: Json }
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
