import { existsSync, readFileSync, realpathSync, statSync } from 'node:fs'
import { basename, dirname, join, relative, resolve, sep } from 'node:path'
import { FibricError } from '../../domain/errors.ts'
import type { GitPlace } from './run-git.ts'

export interface FoundRepository extends GitPlace {
  /** Where objects, refs and configuration are: the git directory itself, unless it belongs to a linked working tree. */
  readonly commonDir: string
  /** The directory asked about, below the top. */
  readonly prefix: string
}

/**
 * The repository a directory belongs to, found the way git does: the nearest `.git` upwards, or the directory itself
 * when it is a bare repository. Null when it is in none.
 *
 * Found here and not by git because a git directory passed by name is not refused for belonging to another user.
 */
export function discoverRepository(directory: string): FoundRepository | null {
  const start = realDirectory(directory)
  // Only the very directory may be bare: one hidden in a folder of somebody's checkout must not be taken for the repository.
  if (isGitDir(start) && basename(start) !== '.git') {
    return { gitDir: start, workTree: null, commonDir: commonDirOf(start), prefix: '' }
  }
  for (let top = start; ; top = dirname(top)) {
    const gitDir = gitDirAt(top)
    if (gitDir !== null) {
      const prefix = relative(top, start).split(sep).join('/')
      if (prefix === '.git' || prefix.startsWith('.git/')) return null
      return { gitDir, workTree: top, commonDir: commonDirOf(gitDir), prefix }
    }
    if (dirname(top) === top) return null
  }
}

function realDirectory(directory: string): string {
  try {
    return realpathSync(directory)
  } catch (cause) {
    throw new FibricError('NOT_FOUND', `directory \`${directory}\` does not exist or cannot be read`, { cause })
  }
}

/** `.git` is a folder, or a file that names one (linked working trees, submodules). */
function gitDirAt(top: string): string | null {
  const candidate = join(top, '.git')
  const found = statSync(candidate, { throwIfNoEntry: false })
  if (found === undefined) return null
  if (found.isDirectory()) return isGitDir(candidate) ? candidate : null
  const pointer = /^gitdir: (.+?)\s*$/.exec(readFileSync(candidate, 'utf8').slice(0, 4096))
  if (pointer === null) return null
  const gitDir = resolve(top, pointer[1]!)
  if (isGitDir(gitDir)) return gitDir
  throw new FibricError('GIT', `\`${candidate}\` points to \`${gitDir}\`, which is no git directory`, {
    hint: 'git worktree repair',
  })
}

function isGitDir(path: string): boolean {
  if (!existsSync(join(path, 'HEAD'))) return false
  const common = commonDirOf(path)
  return existsSync(join(common, 'objects')) && existsSync(join(common, 'refs'))
}

function commonDirOf(gitDir: string): string {
  const pointer = join(gitDir, 'commondir')
  return existsSync(pointer) ? resolve(gitDir, readFileSync(pointer, 'utf8').trim()) : gitDir
}
