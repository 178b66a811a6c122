import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { chown, mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { FibricError } from '../../domain/errors.ts'
import { ended, type Launch, launch } from './launch.ts'
import { isAlive } from './processes.ts'
import { hostBasedAuthentication } from './settings.ts'

const creatingMark = '.creating-'
/** Creating takes a second; what is older than this has a process id that somebody else uses now. */
const creatingMsMax = 30_000

/** The major version a cluster's folder was made by, or null where there is none. */
export async function clusterMajor(directory: string): Promise<number | null> {
  try {
    return Number.parseInt(await readFile(join(directory, 'PG_VERSION'), 'utf8'), 10)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}

/**
 * Makes the cluster's folder, whole or not at all: in a temporary folder beside it that is renamed into place. What a
 * killed creation left is removed. While another process creates, this one waits; should both create, the rename of
 * the first stands and the second's work is dropped.
 */
export async function createCluster(on: Launch): Promise<void> {
  if (await anotherCreates(on.directory)) return
  const temporary = `${on.directory}${creatingMark}${process.pid}-${randomBytes(4).toString('hex')}`
  await mkdir(temporary, { mode: 0o700 })
  try {
    if (on.user !== null) await chown(temporary, on.user.uid, on.user.gid)
    await initialise({ ...on, directory: temporary })
    await moveIntoPlace(temporary, on.directory)
  } finally {
    await rm(temporary, { recursive: true, force: true, maxRetries: 3 })
  }
}

async function initialise(on: Launch): Promise<void> {
  const child = launch('initdb', initdbArguments(on.binaries.major), on)
  const outcome = await ended(child)
  if (outcome !== 0) {
    throw new FibricError('EMBEDDED_UNAVAILABLE', 'PostgreSQL could not create its folder', {
      hint: `read ${on.logFile}`,
      cause: outcome,
    })
  }
  const hba = join(on.directory, 'pg_hba.conf')
  await writeFile(hba, hostBasedAuthentication)
}

function initdbArguments(major: number): string[] {
  return [
    '--username=postgres',
    '--auth=trust',
    '--encoding=UTF8',
    '--no-instructions',
    '--data-checksums',
    // The same order on every machine, whatever its C library: bytes.
    ...(major >= 17 ? ['--locale-provider=builtin', '--locale=C', '--builtin-locale=C.UTF-8'] : ['--locale=C']),
    // One call for the file system instead of one for each of a thousand files; Linux only.
    ...(major >= 17 && process.platform === 'linux' ? ['--sync-method=syncfs'] : []),
  ]
}

async function anotherCreates(directory: string): Promise<boolean> {
  for (let waitedMs = 0; waitedMs < creatingMsMax; waitedMs += 20) {
    if (existsSync(directory)) return true
    if ((await removeAbandoned(directory)) === 0) return false
    await sleep(20)
  }
  return false
}

/** Removes the temporary folders of processes that are gone; answers how many are being filled by others. */
async function removeAbandoned(directory: string): Promise<number> {
  const parent = dirname(directory)
  const prefix = basename(directory) + creatingMark
  let live = 0
  for (const name of await readdir(parent)) {
    const pid = name.startsWith(prefix) ? Number.parseInt(name.slice(prefix.length), 10) : process.pid
    if (pid === process.pid) continue
    const folder = join(parent, name)
    if (!isAlive(pid)) await rm(folder, { recursive: true, force: true, maxRetries: 3 })
    else if ((await ageMs(folder)) < creatingMsMax) live++
  }
  return live
}

async function ageMs(folder: string): Promise<number> {
  try {
    return Date.now() - (await stat(folder)).mtimeMs
  } catch {
    return Number.POSITIVE_INFINITY // renamed into place, or removed, just now
  }
}

async function moveIntoPlace(temporary: string, directory: string): Promise<void> {
  try {
    await rename(temporary, directory)
  } catch (error) {
    if ((await clusterMajor(directory)) === null) throw error // else another process was faster: its folder stands
  }
}
