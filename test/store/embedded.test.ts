import { type ChildProcess, spawn } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { chown, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, test } from 'vitest'
import { completeLibraries } from '../../controller/store/embedded/libraries.ts'
import { isAlive, serversOf } from '../../controller/store/embedded/processes.ts'
import { mayRead, reachableBinaries } from '../../controller/store/embedded/reachable.ts'
import { type EmbeddedServer, startEmbedded } from '../../controller/store/embedded/server.ts'
import { type ConnectionTarget, withConnection } from '../../controller/store/pool.ts'

const isRoot = process.getuid?.() === 0
const nobody = { uid: 65534, gid: 65534, name: 'nobody' }
const child = fileURLToPath(new URL('../support/embedded-child.ts', import.meta.url))
const quick = { fsync: 'off' }

const cleanups: (() => Promise<unknown>)[] = []

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

/** A fresh data directory in a folder that only its owner may pass; whatever runs on it is stopped afterwards. */
async function dataDirectory(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'fibric-embedded-'))
  const directory = join(folder, '.fibric')
  cleanups.push(async () => {
    if (existsSync(join(directory, 'postgres', 'postmaster.pid'))) {
      await (await startEmbedded({ dataDirectory: directory, settings: quick })).stop()
    }
    await rm(folder, { recursive: true, force: true })
  })
  return directory
}

function start(directory: string): Promise<EmbeddedServer> {
  return startEmbedded({ dataDirectory: directory, settings: quick })
}

async function value(target: ConnectionTarget, sql: string): Promise<unknown> {
  const { rows } = await withConnection(target, 'fibric test', (connection) =>
    connection.prepared<{ v: unknown }>(sql, []),
  )
  return rows[0]?.v
}

function run(target: ConnectionTarget, sql: string): Promise<unknown> {
  return withConnection(target, 'fibric test', (connection) => connection.simple(sql))
}

function pidOf(directory: string): number {
  return Number.parseInt(readFileSync(join(directory, 'postgres', 'postmaster.pid'), 'utf8'), 10)
}

interface ChildAnswer {
  readonly started: boolean
  readonly ok: number
  readonly host: string
}

function spawnChild(directory: string, mode: 'hold' | 'once', as: { uid?: number; gid?: number } = {}): ChildProcess {
  const started = spawn(process.execPath, [child, directory, mode], {
    stdio: ['ignore', 'pipe', 'inherit'],
    cwd: '/',
    ...as,
  })
  cleanups.push(async () => {
    started.kill('SIGKILL')
  })
  return started
}

function answerOf(process: ChildProcess): Promise<ChildAnswer> {
  return new Promise((resolve, reject) => {
    let text = ''
    process.stdout?.on('data', (chunk) => {
      text += chunk
      if (text.includes('\n')) resolve(JSON.parse(text))
    })
    process.once('exit', (code) => reject(new Error(`the child ended with ${code}`)))
  })
}

function exitOf(process: ChildProcess): Promise<number | null> {
  return new Promise((resolve) => {
    process.once('exit', (code) => resolve(code))
  })
}

describe('an embedded server', () => {
  test('is created, adopted by the next, and stopped by the last to leave', async () => {
    const directory = await dataDirectory()
    const first = await start(directory)
    const second = await start(directory)
    expect([first.started, second.started]).toEqual([true, false])
    await run(first.owner, 'create table public.kept as select 42 as v')
    expect(await first.stopIfIdle()).toBe(false)
    expect(await value(second.owner, 'select v from public.kept')).toBe(42)
    const pid = pidOf(directory)
    expect(await second.stopIfIdle()).toBe(true)
    expect(isAlive(pid)).toBe(false)
    expect(existsSync(second.owner.host)).toBe(false)
    const third = await start(directory)
    expect(third.started).toBe(true)
    expect(await value(third.owner, 'select v from public.kept')).toBe(42)
  })

  test('is not stopped under a client that is not ours', async () => {
    const server = await start(await dataDirectory())
    await withConnection(server.owner, 'psql', async () => {
      expect(await server.stopIfIdle()).toBe(false)
    })
  })

  test('listens on a private socket only, writes durably, and runs as nobody important', async () => {
    const directory = await dataDirectory()
    const server = await startEmbedded({ dataDirectory: directory })
    expect(await value(server.superuser, "select current_setting('listen_addresses') as v")).toBe('')
    expect(await value(server.superuser, "select current_setting('fsync') as v")).toBe('on')
    expect(await value(server.superuser, "select current_setting('data_checksums') as v")).toBe('on')
    expect(statSync(server.owner.host).mode & 0o777).toBe(0o700)
    expect(Buffer.byteLength(join(server.owner.host, '.s.PGSQL.5432'))).toBeLessThan(107)
    expect(statSync(directory).mode & 0o777).toBe(0o700)
    expect(statSync(join(directory, 'postgres')).uid).not.toBe(0)
    expect(await readFile(join(directory, '.gitignore'), 'utf8')).toBe('*\n')
  })

  test('gives an owner that is no superuser and bypasses nothing', async () => {
    const server = await start(await dataDirectory())
    const facts = "select rolsuper or rolbypassrls or rolreplication as v from pg_roles where rolname = 'fibric'"
    expect(await value(server.owner, facts)).toBe(false)
    expect(await value(server.owner, 'select current_user as v')).toBe('fibric')
  })

  test('survives the command that started it', async () => {
    const directory = await dataDirectory()
    const command = spawnChild(directory, 'hold')
    const { host } = await answerOf(command)
    const ended = exitOf(command)
    command.kill('SIGKILL')
    await ended
    const adopted = await start(directory)
    expect(adopted.started).toBe(false)
    expect(adopted.owner.host).toBe(host)
  })
})

describe('after a crash', () => {
  test('of the server, the next start recovers what was committed', async () => {
    const directory = await dataDirectory()
    const server = await startEmbedded({ dataDirectory: directory })
    await run(server.owner, 'create table public.kept as select generate_series(1, 1000) as v')
    process.kill(pidOf(directory), 'SIGKILL')
    await server.release()
    const again = await start(directory)
    expect(again.started).toBe(true)
    expect(await value(again.owner, 'select count(*) as v from public.kept')).toBe(1000)
    expect(existsSync(server.owner.host)).toBe(false)
  })

  test('of its first process alone, no second server starts beside a session that still works', async () => {
    const directory = await dataDirectory()
    const server = await start(directory)
    const working = value(server.owner, 'select count(*) as v from generate_series(1, 300000000)').catch(() => 'cut')
    await expect.poll(() => serversOf(join(directory, 'postgres')).length).toBeGreaterThan(5)
    const before = serversOf(join(directory, 'postgres'))
    process.kill(pidOf(directory), 'SIGKILL')
    const again = await start(directory)
    expect(before.filter(isAlive)).toEqual([])
    expect(await value(again.owner, 'select 1 as v')).toBe(1)
    expect(await working).toBe('cut')
    await server.release()
  })

  test('a lock file that names somebody else, nobody or nothing is not believed', async () => {
    const directory = await dataDirectory()
    const lockFile = join(directory, 'postgres', 'postmaster.pid')
    const living = await start(directory)
    const [, ...rest] = (await readFile(lockFile, 'utf8')).split('\n')
    rest[3] = '/etc' // where it says its socket is: a folder that must not be removed for it
    await living.stop()
    for (const pid of [process.pid, 1, 4_194_303, 'garbage']) {
      await writeFile(lockFile, [pid, ...rest].join('\n'))
      const server = await start(directory)
      expect(server.started).toBe(true)
      await server.stop()
    }
    expect(existsSync('/etc')).toBe(true)
  })

  test('in the middle of its creation, the next start makes it whole', async () => {
    const directory = await dataDirectory()
    const creating = () => existsSync(directory) && readdirSync(directory).some((name) => name.includes('.creating-'))
    const command = spawnChild(directory, 'hold')
    await expect.poll(creating, { interval: 1, timeout: 10_000 }).toBe(true)
    await new Promise((resolve) => setTimeout(resolve, 150))
    const ended = exitOf(command)
    command.kill('SIGKILL')
    await ended
    const server = await start(directory)
    expect(await value(server.owner, 'select 1 as v')).toBe(1)
    expect(creating()).toBe(false)
  })

  test('between start and the making of its owner, whoever adopts it makes the owner', async () => {
    const directory = await dataDirectory()
    const server = await start(directory)
    await run(server.superuser, 'drop database fibric')
    const adopter = await start(directory)
    expect(await value(adopter.owner, 'select current_database() as v')).toBe('fibric')
  })
})

describe('several processes at once', () => {
  test('share one server: one starts it, the others adopt it', async () => {
    const directory = await dataDirectory()
    const answers = await Promise.all([1, 2, 3].map(() => answerOf(spawnChild(directory, 'hold'))))
    expect(answers.map(({ ok }) => ok)).toEqual([1, 1, 1])
    expect(answers.filter(({ started }) => started)).toHaveLength(1)
    expect(new Set(answers.map(({ host }) => host)).size).toBe(1)
    expect(readdirSync(directory).filter((name) => name.startsWith('postgres.creating'))).toEqual([])
  })

  test('never lose the server to one that leaves', async () => {
    const directory = await dataDirectory()
    const comeAndGo = async () => {
      for (let round = 0; round < 12; round++) {
        const server = await start(directory)
        expect(await value(server.owner, 'select pg_sleep(0.002), 1 as v')).toBe(1)
        await server.stopIfIdle()
      }
    }
    await Promise.all([comeAndGo(), comeAndGo(), comeAndGo()])
    await expect.poll(() => existsSync(join(directory, 'postgres', 'postmaster.pid'))).toBe(false)
  })
})

describe('a data directory', () => {
  test('of another major version is refused by name, and left alone', async () => {
    const directory = await dataDirectory()
    mkdirSync(join(directory, 'postgres'), { recursive: true })
    writeFileSync(join(directory, 'postgres', 'PG_VERSION'), '14\n')
    await expect(start(directory)).rejects.toMatchObject({
      code: 'DATABASE_VERSION',
      message: expect.stringContaining('was made by PostgreSQL 14, and the PostgreSQL here is 18'),
    })
    expect(readdirSync(join(directory, 'postgres'))).toEqual(['PG_VERSION'])
  })

  test('that cannot be made is refused by name', async () => {
    const directory = await dataDirectory()
    writeFileSync(join(dirname(directory), 'file'), '')
    await expect(start(join(dirname(directory), 'file', '.fibric'))).rejects.toMatchObject({ code: 'DATA_DIRECTORY' })
  })

  test('with a long path works: its socket lies elsewhere', async () => {
    const directory = join(dirname(await dataDirectory()), 'long-'.repeat(30), '.fibric')
    const server = await start(directory)
    cleanups.push(() => server.stop())
    expect(await value(server.owner, 'select 1 as v')).toBe(1)
  })

  const readable = mayRead(child, nobody) && mayRead(process.execPath, nobody)

  test.runIf(isRoot && readable)('of an ordinary user is served by that user (needs root to become one)', async () => {
    const directory = await dataDirectory()
    const home = dirname(directory)
    await chown(home, nobody.uid, nobody.gid)
    const command = spawnChild(directory, 'once', { uid: nobody.uid, gid: nobody.gid })
    expect(await answerOf(command)).toMatchObject({ started: true, ok: 1 })
    await exitOf(command)
    expect(statSync(join(directory, 'postgres')).uid).toBe(nobody.uid)
    // Root helping out in the user's checkout leaves everything the user's.
    const server = await start(directory)
    expect(statSync(join(directory, 'postgres', 'postmaster.pid')).uid).toBe(nobody.uid)
    await server.stop()
    expect(await answerOf(spawnChild(directory, 'once', { uid: nobody.uid, gid: nobody.gid }))).toMatchObject({ ok: 1 })
  })

  test.runIf(isRoot)('below folders that only root may pass works (needs root)', async () => {
    const directory = await dataDirectory()
    chmodSync(dirname(directory), 0o700)
    const server = await start(directory)
    expect(await value(server.owner, 'select 1 as v')).toBe(1)
    expect(await value(server.owner, 'select count(*) > 100 as v from pg_timezone_names')).toBe(true)
  })
})

describe('the programs', () => {
  async function programs(): Promise<{ closed: string; place: string }> {
    const folder = await mkdtemp(join(tmpdir(), 'fibric-programs-'))
    cleanups.push(() => rm(folder, { recursive: true, force: true }))
    chmodSync(folder, 0o755)
    const closed = join(folder, 'closed')
    mkdirSync(join(closed, 'native', 'bin'), { recursive: true, mode: 0o700 })
    mkdirSync(join(closed, 'native', 'lib', 'postgresql'), { recursive: true })
    mkdirSync(join(closed, 'native', 'share', 'postgresql'), { recursive: true })
    writeFileSync(join(closed, 'native', 'bin', 'postgres'), 'program', { mode: 0o700 })
    writeFileSync(join(closed, 'native', 'share', 'postgresql', 'postgres.bki'), 'catalog', { mode: 0o600 })
    return { closed, place: join(folder, 'place') }
  }

  test.runIf(isRoot)('in a closed folder get a place that the server can reach, once (needs root)', async () => {
    const { closed, place } = await programs()
    const nativeDirectory = join(closed, 'native')
    const binDirectory = join(nativeDirectory, 'bin')
    const found = {
      source: 'embedded',
      major: 18,
      version: '18.0',
      binDirectory,
      nativeDirectory,
      environment: {},
    } as const
    const reached = reachableBinaries(found, nobody, ['/dev/null/place', place])
    expect(reached.binDirectory).toBe(join(place, 'postgres-18.0', 'bin'))
    expect(mayRead(join(reached.binDirectory, 'postgres'), nobody)).toBe(true)
    expect(statSync(join(reached.binDirectory, 'postgres')).mode & 0o777).toBe(0o755)
    expect(reachableBinaries(found, nobody, [place])).toEqual(reached)
    expect(readdirSync(place)).toEqual(['postgres-18.0'])
    expect(reachableBinaries(found, null, [place])).toBe(found)
  })

  test.runIf(isRoot)('are not taken from a place that another user could have filled (needs root)', async () => {
    const { closed, place } = await programs()
    const nativeDirectory = join(closed, 'native')
    const binDirectory = join(nativeDirectory, 'bin')
    const found = {
      source: 'embedded',
      major: 18,
      version: '18.0',
      binDirectory,
      nativeDirectory,
      environment: {},
    } as const
    mkdirSync(join(place, 'postgres-18.0', 'bin'), { recursive: true })
    await chown(join(place, 'postgres-18.0'), nobody.uid, nobody.gid)
    expect(() => reachableBinaries(found, nobody, [place])).toThrow('cannot reach')
  })
})

describe('the libraries of the package', () => {
  async function packageWithoutLinks(): Promise<string> {
    const root = await mkdtemp(join(tmpdir(), 'fibric-package-'))
    cleanups.push(() => rm(root, { recursive: true, force: true }))
    mkdirSync(join(root, 'native', 'lib'), { recursive: true })
    writeFileSync(join(root, 'native', 'lib', 'libx.so.1.2'), 'library')
    const links = [{ source: 'native/lib/libx.so.1.2', target: 'native/lib/libx.so.1' }]
    writeFileSync(join(root, 'native', 'pg-symlinks.json'), JSON.stringify(links))
    return root
  }

  test('get the links that no install script made', async () => {
    const root = await packageWithoutLinks()
    expect(completeLibraries(root, join(root, 'scratch'))).toEqual({})
    expect(readFileSync(join(root, 'native', 'lib', 'libx.so.1'), 'utf8')).toBe('library')
    expect(completeLibraries(root, join(root, 'scratch'))).toEqual({})
  })

  test.skipIf(isRoot)('get them elsewhere when the package is not ours to write (needs an ordinary user)', async () => {
    const root = await packageWithoutLinks()
    chmodSync(join(root, 'native', 'lib'), 0o555)
    const environment = completeLibraries(root, join(root, 'scratch'))
    chmodSync(join(root, 'native', 'lib'), 0o755)
    const searched = [join(root, 'scratch', 'postgres-lib'), join(root, 'native', 'lib')]
    expect(Object.values(environment)).toEqual([searched.join(':')])
    expect(readFileSync(join(root, 'scratch', 'postgres-lib', 'libx.so.1'), 'utf8')).toBe('library')
  })
})
