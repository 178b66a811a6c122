import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, constants, fchownSync, fstatSync, ftruncateSync, openSync } from 'node:fs'
import { join } from 'node:path'
import type { Binaries } from './binaries.ts'
import type { ServerUser } from './server-user.ts'

export interface Launch {
  readonly binaries: Binaries
  readonly user: ServerUser | null
  /** The cluster's folder. */
  readonly directory: string
  readonly logFile: string
}

/**
 * Starts one of PostgreSQL's programs on a folder, as the server's user.
 *
 * The user that root lends it to may not pass the folders above (a repository under /root is mode 0700). Root
 * therefore opens the folder and hands it over as descriptor 3: `/proc/self/fd/3` leads there without passing them.
 */
export function launch(program: 'initdb' | 'postgres', args: readonly string[], on: Launch): ChildProcess {
  const { user, binaries } = on
  const log = openLog(on)
  const folder = user === null ? null : openSync(on.directory, 'r')
  try {
    return spawn(
      join(binaries.binDirectory, program),
      ['-D', folder === null ? on.directory : '/proc/self/fd/3', ...args],
      {
        cwd: '/',
        detached: true, // its own session: neither Ctrl-C nor the end of this command reaches it
        env: { PATH: '/usr/local/bin:/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC', ...binaries.environment },
        stdio: folder === null ? ['ignore', log, log] : ['ignore', log, log, folder],
        ...(user === null ? {} : { uid: user.uid, gid: user.gid }),
      },
    )
  } finally {
    closeSync(log)
    if (folder !== null) closeSync(folder)
  }
}

/** Resolves when the program has ended: its exit code, or what kept it from running. */
export function ended(child: ChildProcess): Promise<number | Error> {
  return new Promise((resolve) => {
    child.once('error', resolve)
    child.once('exit', (code, signal) => resolve(code ?? new Error(`ended by ${signal}`)))
  })
}

const logSizeBytesMax = 1024 * 1024

/** The server's user's, like the data: a user whom root helped out must be able to go on alone. */
function openLog(on: Launch): number {
  const { O_APPEND, O_CREAT, O_NOFOLLOW, O_WRONLY } = constants
  const log = openSync(on.logFile, O_APPEND | O_CREAT | O_WRONLY | O_NOFOLLOW, 0o600)
  if (on.user !== null) fchownSync(log, on.user.uid, on.user.gid)
  if (fstatSync(log).size > logSizeBytesMax) ftruncateSync(log)
  return log
}
