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
  const groups = new Map<string, ObjectEntry[]>()
  const places = new Map<string, { group: ObjectEntry[]; window: number }>()
  for (const entry of entries) {
    const group = groups.get(extname(entry.path)) ?? []
    groups.set(extname(entry.path), group)
    places.set(entry.path, { group, window: Math.floor(group.length / windowSize) })
    group.push(entry)
  }
  const windows = new Map<ObjectEntry, Promise<Map<string, Buffer>>>()

  return async (path) => {
    const place = places.get(path)
    if (place === undefined) return null
    const members = place.group.slice(place.window * windowSize, (place.window + 1) * windowSize)
    const first = members[0]!
    const pending = windows.get(first) ?? readAll(objects, members)
    windows.set(first, pending)
    return (await pending).get(path) ?? null
  }
}

const windowSize = 20_000

async function readAll(objects: GitObjects, entries: readonly ObjectEntry[]): Promise<Map<string, Buffer>> {
  const blobs = await objects.blobs(entries.map(({ oid }) => oid))
  return new Map(entries.map(({ path }, at) => [path, blobs[at]!]))
}
