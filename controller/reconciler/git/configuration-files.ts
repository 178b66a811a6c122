import { deploymentFiles } from '../../../schemas/load/directory-tree.ts'
import { FibricError } from '../../domain/errors.ts'

/** Whether a path of the repository is one of the files a configuration directory at `prefix` is made of. */
export function belongsToConfiguration(path: string, prefix: string): boolean {
  // A submodule can sit exactly where the directory should be.
  if (path === prefix) return true
  if (prefix !== '' && !path.startsWith(`${prefix}/`)) return false
  const below = prefix === '' ? path : path.slice(prefix.length + 1)
  return below === 'tenants' || below.startsWith('tenants/') || deploymentNames.has(below)
}

const deploymentNames: ReadonlySet<string> = new Set(deploymentFiles)

/** The path below `prefix`; a name that is no UTF-8 is refused, for it could be taken for another's. */
export function pathBelow(path: string, prefix: string): string {
  if (path.includes('\ufffd')) {
    throw new FibricError('GIT', `file name \`${path}\` is not valid UTF-8`, { hint: 'rename the file' })
  }
  return prefix === '' || path === prefix ? path : path.slice(prefix.length + 1)
}

export function refuseSubmodule(path: string): never {
  throw new FibricError('GIT', `\`${path}\` is a submodule or a repository of its own, which is not followed`, {
    hint: 'keep the configuration in one repository, or ignore that folder in `.gitignore`',
  })
}

export function refuseLfsPointer(path: string, bytes: Buffer): void {
  if (bytes.length > 1024 || !bytes.subarray(0, lfsHeader.length).equals(lfsHeader)) return
  throw new FibricError('GIT', `\`${path}\` is stored with Git LFS: the commit holds only a pointer to it`, {
    hint: `take it out of LFS: \`git lfs untrack ${path}\``,
  })
}

const lfsHeader = Buffer.from('version https://git-lfs.github.com/spec/v1\n')
