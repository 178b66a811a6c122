import { hash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Json } from '../../controller/domain/json.ts'
import type { FileFacts } from './facts.ts'

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
    save: () => {},
  }
}

/**
 * A cache in a directory (`.fibric/cache`), in one file that is replaced as a whole.
 *
 * It belongs to one version of the engine: facts depend on the schemas and on this code as much as on the bytes. A file
 * that cannot be read is as good as none; one that cannot be written makes the next run slow, not wrong.
 */
export function openParseCache(directory: string): ParseCache {
  const path = join(directory, 'documents.json')
  const engine = engineDigest()
  const stored = readStored(path, engine)
  const used: Stored = { digests: {}, facts: {}, results: {} }
  let changed = false
  return {
    digestOf: (token) => {
      const digest = stored.digests[token]
      if (digest !== undefined) used.digests[token] = digest
      return digest
    },
    rememberDigest: (token, digest) => {
      used.digests[token] = digest
      changed = true
    },
    facts: (key) => {
      const facts = used.facts[key] ?? stored.facts[key]
      if (facts !== undefined) used.facts[key] = facts
      return facts
    },
    rememberFacts: (key, facts) => {
      used.facts[key] = facts
      changed = true
    },
    result: (key) => {
      const result = used.results[key] ?? stored.results[key]
      if (result !== undefined) used.results[key] = result
      return result
    },
    rememberResult: (key, result) => {
      used.results[key] = result
      changed = true
    },
    save: () => {
      if (!changed) return
      keepUnused(used.digests, stored.digests)
      keepUnused(used.facts, stored.facts)
      keepUnused(used.results, stored.results)
      writeStored(directory, path, engine, used)
    },
  }
}

/** Other revisions of a repository are read in turns with this one; only when they outgrow it are they forgotten. */
function keepUnused<Value>(used: { [key: string]: Value }, stored: { readonly [key: string]: Value }): void {
  const unused = Object.keys(stored).filter((key) => !Object.hasOwn(used, key))
  if (unused.length > Object.keys(used).length + 1000) return
  for (const key of unused) used[key] = stored[key]!
}

interface Stored {
  readonly digests: { [token: string]: string }
  readonly facts: { [key: string]: FileFacts }
  readonly results: { [key: string]: Json }
}

/** The file's first line is the digest of the rest, so that one torn or flipped bit makes it worthless and not wrong. */
function readStored(path: string, engine: string): Stored {
  try {
    const text = readFileSync(path, 'latin1')
    const end = text.indexOf('\n')
    const body = text.slice(end + 1)
    if (text.slice(0, end) === `${engine} ${hash('sha256', body, 'hex')}`) return JSON.parse(body) as Stored
  } catch {
    // Absent or not readable: everything is read and parsed again, and the file replaced.
  }
  return { digests: {}, facts: {}, results: {} }
}

function writeStored(directory: string, path: string, engine: string, stored: Stored): void {
  try {
    mkdirSync(directory, { recursive: true })
    writeFileSync(join(directory, '.gitignore'), '*\n')
  } catch {
    // A read-only checkout must not keep anyone from validating.
    return
  }
  // ASCII, because a one-byte string is read three times as fast.
  const escape = (unit: string) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`
  const body = JSON.stringify(stored).replace(/[^\0-\x7f]/g, escape)
  const temporary = `${path}.${process.pid}.tmp`
  try {
    writeFileSync(temporary, `${engine} ${hash('sha256', body, 'hex')}\n${body}`, 'latin1')
    renameSync(temporary, path)
  } catch {
    // Nor must a full disk.
    rmSync(temporary, { force: true })
  }
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
