import { chownSync, mkdtempSync, statSync } from 'node:fs'
import { readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { isAlive, isTaken, serversOf, servesFolder } from './processes.ts'
import { mayRead } from './reachable.ts'
import type { ServerUser } from './server-user.ts'

export type Postmaster =
  | { readonly state: 'stopped' }
  /** Killed, or its machine was: its lock file stands, its process does not. */
  | { readonly state: 'stale'; readonly pid: number; readonly socketDirectory: string }
  /** Starting, stopping, or too young to have written where it listens. */
  | { readonly state: 'busy'; readonly pid: number }
  | { readonly state: 'ready'; readonly pid: number; readonly socketDirectory: string }

const socketFolderPrefix = 'fibric-'
/** `sun_path` holds 108 bytes with its end on Linux, 104 on macOS; the name below takes 14. */
const socketFolderBytesMax = 85

/** What the lock file of a cluster says, and whether it is still true. */
export async function readPostmaster(directory: string): Promise<Postmaster> {
  let text: string
  try {
    text = await readFile(join(directory, 'postmaster.pid'), 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { state: 'stopped' }
    throw error
  }
  // pid, folder, start time, port, socket folder, address, shared memory, status: written line by line as known
  const lines = text.split('\n')
  const pid = Number.parseInt(lines[0] ?? '', 10)
  const socketDirectory = lines[4] ?? ''
  if (!isAlive(pid) || !servesFolder(pid, directory)) return { state: 'stale', pid, socketDirectory }
  return lines[7]?.trim() === 'ready' ? { state: 'ready', pid, socketDirectory } : { state: 'busy', pid }
}

const orphansMsMax = 3000

/**
 * Clears the way after a server whose first process is gone.
 *
 * Its sessions may live on for a while, and two servers on one folder destroy it. The lock file is what PostgreSQL knows
 * them by (it names their shared memory), so it stays unless its process id is taken: by somebody else, or by what is
 * left of the server where nobody reaps it (a container without an init). PostgreSQL would take either for a running
 * server. Sessions get a moment to notice, then the signal that a crash sends them.
 */
export async function clearStale(directory: string, stale: Postmaster & { readonly state: 'stale' }): Promise<void> {
  for (let waitedMs = 0; serversOf(directory).length > 0; waitedMs += 10) {
    const now = await readPostmaster(directory)
    if (now.state !== 'stale' || now.pid !== stale.pid) return // another process was faster: what lives is its server
    if (waitedMs === orphansMsMax) for (const pid of serversOf(directory)) endNow(pid)
    await sleep(10)
  }
  if (isTaken(stale.pid) || !(stale.pid > 1)) await rm(join(directory, 'postmaster.pid'), { force: true })
  await removeSocketDirectory(stale.socketDirectory)
}

/** A private folder with a path short enough for a socket, that the server's user owns. */
export function makeSocketDirectory(user: ServerUser | null): string {
  const suitable = [tmpdir(), '/tmp'].filter(
    (folder) => Buffer.byteLength(folder) + socketFolderPrefix.length + 7 <= socketFolderBytesMax,
  )
  const parent = suitable.find((folder) => isFolder(folder) && (user === null || mayRead(folder, user))) ?? '/tmp'
  const directory = mkdtempSync(join(parent, socketFolderPrefix))
  if (user !== null) chownSync(directory, user.uid, user.gid)
  return directory
}

/** Only a folder of the kind made above, whatever a lock file says. */
export async function removeSocketDirectory(directory: string): Promise<void> {
  if (!basename(directory).startsWith(socketFolderPrefix) || dirname(directory) === '/') return
  await rm(directory, { recursive: true, force: true })
}

/** Ends a server: sessions are cut, everything is written. Resolves when it is gone. */
export async function stopPostmaster(directory: string, pid: number): Promise<void> {
  if (!(await signalled(directory, pid, 'SIGINT', 30_000))) {
    // It hangs. SIGQUIT ends it at once; the next start recovers from the log.
    await signalled(directory, pid, 'SIGQUIT', 10_000)
  }
  // Its lock file goes before it does: giving its memory back takes another moment.
  for (let waitedMs = 0; waitedMs < lingerMsMax && isAlive(pid); waitedMs += 5) await sleep(5)
}

const lingerMsMax = 5000

function endNow(pid: number): void {
  try {
    process.kill(pid, 'SIGQUIT')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error // it ended by itself
  }
}

async function signalled(directory: string, pid: number, signal: NodeJS.Signals, patienceMs: number): Promise<boolean> {
  const gone = async () => {
    const now = await readPostmaster(directory)
    return now.state === 'stopped' || now.state === 'stale' || now.pid !== pid
  }
  if (await gone()) return true
  process.kill(pid, signal)
  for (let waitedMs = 0; waitedMs < patienceMs; waitedMs += 5) {
    if (await gone()) return true
    await sleep(5)
  }
  return false
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true
}
