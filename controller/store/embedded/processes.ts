import { readFileSync, readlinkSync, realpathSync } from 'node:fs'

/** Whether a process with this id runs. A zombie, which only waits for its parent to notice, does not. */
export function isAlive(pid: number): boolean {
  if (!Number.isSafeInteger(pid) || pid <= 1) return false
  try {
    process.kill(pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
  return !isZombie(pid)
}

/**
 * Whether the process with this id is a server on this folder: process ids are used again, after a reboot or in a
 * container soon. A server's working directory is its folder; where that cannot be read, null.
 */
export function worksIn(pid: number, directory: string): boolean | null {
  try {
    return readlinkSync(`/proc/${pid}/cwd`) === realpathSync(directory)
  } catch {
    return null // no /proc, or another user's process
  }
}

function isZombie(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return /^[ZX]/.test(stat.slice(stat.lastIndexOf(')') + 2))
  } catch {
    return false // no /proc here: what kill said stands
  }
}
