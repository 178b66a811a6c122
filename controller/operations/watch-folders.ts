import { type FSWatcher, lstatSync, readdirSync, watch } from 'node:fs'
import { join } from 'node:path'

/** A system that watches trees by itself needs one watch. */
const watchesTrees = process.platform === 'darwin' || process.platform === 'win32'

/**
 * Calls `changed` when something below a folder may have changed. On Linux each folder is watched by itself: what Node
 * offers there watches every file as well, each with one of the user's few handles.
 *
 * A watch that cannot be kept (no such folder, no handles left) is left out. Answers how to end it.
 */
export function watchBelow(root: string, changed: () => void): () => void {
  const watchers = new Map<string, FSWatcher>()
  const end = (folder: string): void => {
    for (const known of [...watchers.keys()]) {
      if (known !== folder && !known.startsWith(`${folder}/`)) continue
      watchers.get(known)!.close()
      watchers.delete(known)
    }
  }
  const begin = (folder: string): void => {
    try {
      const watcher = watch(folder, { recursive: watchesTrees }, (event, name) => {
        if (event === 'rename' && name !== null && !watchesTrees) replace(join(folder, name))
        changed()
      })
      watcher.on('error', () => end(folder))
      watchers.set(folder, watcher)
      // After the watch began: a folder that is made in between is seen by one of the two, or by both.
      if (!watchesTrees) for (const child of foldersIn(folder)) if (!watchers.has(child)) begin(child)
    } catch {
      // Whoever waits looks by itself from time to time.
    }
  }
  /** It came, went, or is another one of the same name: what watched the old one is deaf. */
  const replace = (path: string): void => {
    end(path)
    if (lstatSync(path, { throwIfNoEntry: false })?.isDirectory()) begin(path)
  }
  begin(root)
  return () => end(root)
}

function foldersIn(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() ? [join(folder, entry.name)] : [],
  )
}
