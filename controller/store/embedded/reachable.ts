import {
  chmodSync,
  copyFileSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { FibricError } from '../../domain/errors.ts'
import type { Binaries } from './binaries.ts'
import type { ServerUser } from './server-user.ts'

/**
 * The same binaries at a place the server's user can reach. A repository under /root is closed to everyone else, and
 * the server looks for its libraries and time zones beside itself, so its tree is linked (or copied, 60 MB) once into
 * a folder of root's that everyone may read. The data needs no such thing: see `launch.ts`.
 */
export function reachableBinaries(binaries: Binaries, user: ServerUser | null, places: readonly string[]): Binaries {
  const native = binaries.nativeDirectory
  if (user === null || native === null || isReachable(native, user)) return binaries
  for (const place of places) {
    const copy = join(place, `postgres-${binaries.version}`)
    if (prepared(native, copy, user)) {
      return { ...binaries, binDirectory: join(copy, 'bin'), nativeDirectory: copy, environment: {} }
    }
  }
  throw new FibricError('EMBEDDED_UNAVAILABLE', `the user \`${user.name}\` cannot reach PostgreSQL's programs`, {
    hint: 'run as an ordinary user, move the repository out of /root, or set FIBRIC_DATABASE_URL',
  })
}

function isReachable(native: string, user: ServerUser): boolean {
  const samples = ['bin/postgres', 'lib', 'lib/postgresql', 'share/postgresql/postgres.bki']
  return samples.every((sample) => mayRead(join(native, sample), user))
}

/** Whether every folder above may be passed and the thing itself be read, by the mode bits alone. */
export function mayRead(path: string, user: ServerUser): boolean {
  const stats = statSync(path, { throwIfNoEntry: false })
  if (stats === undefined || !allows(path, user, stats.isDirectory() ? 5 : 4)) return false
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    if (!allows(folder, user, 1)) return false
    if (folder === dirname(folder)) return true
  }
}

function allows(path: string, user: ServerUser, bits: number): boolean {
  const { mode, uid, gid } = statSync(path)
  const shift = uid === user.uid ? 6 : gid === user.gid ? 3 : 0
  return ((mode >> shift) & bits) === bits
}

function prepared(native: string, copy: string, user: ServerUser): boolean {
  try {
    if (isOurs(copy) && isReachable(copy, user)) return true
    mkdirSync(dirname(copy), { recursive: true, mode: 0o755 })
    const partial = mkdtempSync(`${copy}.`)
    copyTree(native, partial)
    chmodSync(partial, 0o755)
    moveIntoPlace(partial, copy)
    return isOurs(copy) && isReachable(copy, user)
  } catch (error) {
    if (unusable.has((error as NodeJS.ErrnoException).code ?? '')) return false // the next place
    throw error
  }
}

const unusable = new Set(['EACCES', 'EPERM', 'EROFS', 'ENOSPC', 'ENOTDIR', 'EEXIST', 'ENOTEMPTY'])

/** In a shared folder anyone could have put something under this name: only root's own counts. */
function isOurs(copy: string): boolean {
  const stats = lstatSync(copy, { throwIfNoEntry: false })
  return stats?.isDirectory() === true && stats.uid === 0 && (stats.mode & 0o022) === 0
}

function copyTree(from: string, to: string): void {
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    const source = join(from, entry.name)
    const target = join(to, entry.name)
    if (entry.isDirectory()) {
      mkdirSync(target, { mode: 0o755 })
      copyTree(source, target)
    } else if (entry.isSymbolicLink()) {
      symlinkSync(readlinkSync(source), target)
    } else if (!entry.name.endsWith('.a')) {
      linkOrCopy(source, target)
    }
  }
}

function linkOrCopy(source: string, target: string): void {
  const { mode, uid } = statSync(source)
  if (uid === 0 && (mode & 0o044) === 0o044) {
    try {
      linkSync(source, target)
      return
    } catch {
      // another file system, or links are not allowed: copy
    }
  }
  copyFileSync(source, target)
  chmodSync(target, (mode & 0o111) === 0 ? 0o644 : 0o755)
}

function moveIntoPlace(partial: string, copy: string): void {
  try {
    renameSync(partial, copy)
  } catch (error) {
    rmSync(partial, { recursive: true, force: true })
    if (!isOurs(copy)) throw error // else another process was faster
  }
}
