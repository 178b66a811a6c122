import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, readlinkSync, realpathSync } from 'node:fs'

/** Whether a process with this id runs. A zombie, which only waits for its parent to notice, does not. */
export function isAlive(pid: number): boolean {
  return isTaken(pid) && !isZombie(pid)
}

/** Whether the id belongs to any process, one that ended and that nobody has reaped yet included. */
export function isTaken(pid: number): boolean {
  if (!Number.isSafeInteger(pid) || pid <= 1) return false
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/**
 * Whether the process with this id is a PostgreSQL on this folder: process ids are used again, after a reboot or in a
 * container soon. Its working directory tells; where there is no /proc, its name has to do.
 */
export function servesFolder(pid: number, directory: string): boolean {
  if (!hasProc) return commandOf(pid).includes('postgres')
  try {
    return nameOf(pid).startsWith('postgres') && readlinkSync(`/proc/${pid}/cwd`) === realpathSync(directory)
  } catch {
    return false // gone meanwhile, or a process of somebody who is not the folder's owner
  }
}

/** The processes of a server on this folder, whether or not its first process still lives. */
export function serversOf(directory: string): number[] {
  if (!hasProc) return []
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => isAlive(pid) && servesFolder(pid, directory))
}

const hasProc = existsSync('/proc/self/cwd')

function isZombie(pid: number): boolean {
  if (!hasProc) return false // what kill said stands
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return /^[ZX]/.test(stat.slice(stat.lastIndexOf(')') + 2))
  } catch {
    return true // gone meanwhile
  }
}

function nameOf(pid: number): string {
  return readFileSync(`/proc/${pid}/comm`, 'utf8')
}

function commandOf(pid: number): string {
  try {
    return execFileSync('ps', ['-o', 'comm=', '-p', String(pid)], { encoding: 'utf8' })
  } catch {
    return '' // no such process
  }
}
