import type { FileTree, TreeEntry } from '../../../schemas/load/file-tree.ts'
import { FibricError } from '../../domain/errors.ts'
import { belongsToConfiguration, pathBelow, refuseLfsPointer, refuseSubmodule } from './configuration-files.ts'
import { fileModes, type GitObjects, type ObjectEntry } from './git-objects.ts'
import { readAhead } from './read-ahead.ts'

/** A configuration directory as a commit holds it. */
export function commitTree(objects: GitObjects, all: readonly ObjectEntry[], prefix: string): FileTree {
  const entries = all.filter(({ path }) => belongsToConfiguration(path, prefix))
  const read = readAhead(objects, entries)

  return {
    list: () =>
      Promise.all(
        entries.map(async ({ path: fullPath, mode, oid }): Promise<TreeEntry> => {
          const path = pathBelow(fullPath, prefix)
          if (mode === fileModes.submodule) refuseSubmodule(path)
          if (mode !== fileModes.symlink) return { path, kind: 'file', size: null, token: `git:${oid}`, target: null }
          const [target] = await objects.blobs([oid])
          return { path, kind: 'symlink', size: target!.length, token: null, target: target!.toString('utf8') }
        }),
      ),

    async read(path) {
      const bytes = await read(prefix === '' ? path : `${prefix}/${path}`)
      if (bytes === null) throw new FibricError('NOT_FOUND', `\`${path}\` is not in the commit`)
      refuseLfsPointer(path, bytes)
      return bytes
    },
  }
}
