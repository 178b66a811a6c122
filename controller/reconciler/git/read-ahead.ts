import { extname } from 'node:path/posix'
import type { GitObjects, ObjectEntry } from './git-objects.ts'

/**
 * Reads blobs by path, many at a time: asking for one `.yaml` reads the next thousands of `.yaml` with it, since whoever
 * wants one wants the others. Other file types are left alone, so a folder of images costs nothing.
 */
export function readAhead(
  objects: GitObjects,
  entries: readonly ObjectEntry[],
): (path: string) => Promise<Buffer | null> {
  const open = new Map<string, ObjectEntry[]>()
  const windows = new Map<string, ObjectEntry[]>()
  for (const entry of entries) {
    const type = extname(entry.path)
    const current = open.get(type)
    const window = current === undefined || current.length === windowSize ? [] : current
    window.push(entry)
    open.set(type, window)
    windows.set(entry.path, window)
  }
  const reading = new Map<ObjectEntry[], Promise<Map<string, Buffer>>>()

  return async (path) => {
    const window = windows.get(path)
    if (window === undefined) return null
    const pending = reading.get(window) ?? readAll(objects, window)
    reading.set(window, pending)
    return (await pending).get(path) ?? null
  }
}

const windowSize = 20_000

async function readAll(objects: GitObjects, entries: readonly ObjectEntry[]): Promise<Map<string, Buffer>> {
  const blobs = await objects.blobs(entries.map(({ oid }) => oid))
  return new Map(entries.map(({ path }, at) => [path, blobs[at]!]))
}
