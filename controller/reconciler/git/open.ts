import { FibricError } from '../../domain/errors.ts'
import { binaryObjects } from './binary-objects.ts'
import { discoverRepository } from './discover.ts'
import type { GitObjects } from './git-objects.ts'
import type { GitImplementation, GitRepository } from './repository.ts'
import { repositoryOver } from './repository-over.ts'
import { hasGitBinary } from './run-git.ts'

export interface OpenGitOptions {
  /** The `git` binary when there is a working one, else the built-in client, unless told. */
  readonly implementation?: GitImplementation
  /** The configuration directory inside a bare repository, which has no directory of its own to name. */
  readonly path?: string
}

/**
 * The repository a directory belongs to; null when it is in none, or lies in a folder that its repository ignores (a
 * configuration below a home directory kept in git is not part of it).
 */
export async function openGit(directory: string, options: OpenGitOptions = {}): Promise<GitRepository | null> {
  const found = discoverRepository(directory)
  if (found === null) return null
  const place = options.path === undefined ? found : { ...found, prefix: below(found.prefix, options.path) }
  const implementation = options.implementation ?? ((await hasGitBinary()) ? 'binary' : 'builtin')
  const objects = implementation === 'binary' ? binaryObjects(place) : await builtin(place)
  if (place.workTree !== null && place.prefix !== '' && (await objects.isIgnoredDirectory(place.prefix))) return null
  return repositoryOver(objects, place, implementation)
}

/** Loaded only where it is needed: it is large, and most machines have git. */
async function builtin(place: Parameters<typeof binaryObjects>[0]): Promise<GitObjects> {
  const { builtinObjects } = await import('./builtin-objects.ts')
  return builtinObjects(place)
}

function below(prefix: string, path: string): string {
  const parts = [...prefix.split('/'), ...path.split('/')].filter((part) => part !== '' && part !== '.')
  if (parts.includes('..')) throw new FibricError('USAGE', `path \`${path}\` leaves the repository`)
  return parts.join('/')
}
