import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, test } from 'vitest'
import { isAlive } from '../../../controller/store/embedded/processes.ts'
import { databaseUrlOf } from '../../../controller/store/pool.ts'
import { plainEnvironment } from '../../support/cli.ts'
import { emptyDatabase } from '../../support/database.ts'
import { bin, repository, rootKeyText, World } from './world.ts'

const cleanups: (() => Promise<unknown> | undefined)[] = []

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

describe('`up`', () => {
  test('applies, follows an edit, and leaves nothing running when it is interrupted', async () => {
    const world = embeddedWorld()
    world.write(repository)
    const first = up(world)
    await first.said('Apply: 14 applied.')
    await first.said('. Following')
    world.write({
      'tenants/beta/parameters.yaml': repository['tenants/beta/parameters.yaml']!.replace('small', 'medium'),
    })
    await first.said('~ beta/Parameter/size applied')
    const server = serverPid(world)
    expect(isAlive(server)).toBe(true)
    await first.interrupt()
    expect(isAlive(server)).toBe(false)
    expect(processesIn(world)).toEqual([])

    const second = up(world)
    await second.said('. Following')
    expect(second.output()).toContain('Plan: 0 to create, 0 to update, 0 to delete.')
    await second.interrupt()
    expect(processesIn(world)).toEqual([])
  })

  test('is refused beside another one, which goes on', async () => {
    const world = embeddedWorld()
    world.write(repository)
    const first = up(world)
    await first.said('. Following')
    const { error } = await world.json<{ error: { code: string } }>(1, ['up'])
    expect(error.code).toBe('STATE_CONFLICT')
    world.write({
      'tenants/beta/parameters.yaml': repository['tenants/beta/parameters.yaml']!.replace('small', 'medium'),
    })
    await first.said('~ beta/Parameter/size applied')
    await first.interrupt()
    expect(processesIn(world)).toEqual([])
  })

  test('ends when the port that was asked for is taken, and leaves nothing running', async () => {
    const world = embeddedWorld()
    world.write(repository)
    const other = createServer().listen(0, '127.0.0.1')
    cleanups.push(async () => void other.close())
    await once(other, 'listening')
    const { port } = other.address() as AddressInfo
    const running = up(world, '--port', `${port}`)
    expect(await running.closed).toBe(1)
    expect(running.output()).toContain(`port ${port} of 127.0.0.1 cannot be listened on`)
    expect(processesIn(world)).toEqual([])
  })

  test('ends when it is interrupted before it serves', async () => {
    const world = embeddedWorld()
    world.write(repository)
    const running = up(world)
    await running.said('The first admin key')
    await running.interrupt()
    expect(processesIn(world)).toEqual([])
  })

  test('says what is wrong with a file, and goes on when it is mended', async () => {
    const world = embeddedWorld()
    world.write(repository)
    const running = up(world)
    await running.said('. Following')
    world.write({
      'tenants/beta/extra.yaml': 'apiVersion: fibric.io/v1\nkind: Parameter\nmetadata: {name: extra}\nspec: {}\n',
    })
    await running.said('tenants/beta/extra.yaml')
    world.write({
      'tenants/beta/extra.yaml':
        'apiVersion: fibric.io/v1\nkind: Parameter\nmetadata: {name: extra}\nspec: {value: 1}\n',
    })
    await running.said('+ beta/Parameter/extra applied')
    await running.interrupt()
    expect(processesIn(world)).toEqual([])
  })
})

describe('a new repository', () => {
  test('is scaffolded, valid, applied and then at rest', async () => {
    const world = embeddedWorld()
    await world.expect(0, ['init'])
    await world.expect(0, ['validate', '--strict'])
    await world.expect(2, ['plan', '--detailed-exitcode'])
    await world.expect(0, ['apply', '--auto-approve'])
    await world.expect(0, ['plan', '--detailed-exitcode'])
    expect(processesIn(world)).toEqual([])
  })
})

describe('a database that is named', () => {
  test('has to be migrated first, which the error says', async () => {
    const { world, database } = await worldOnEmpty()
    world.write(repository)
    const { error } = await world.json<{ error: { code: string; hint: string } }>(1, ['plan'])
    expect(error).toMatchObject({ code: 'MIGRATION_NEEDED', hint: expect.stringContaining('fibric migrate') })
    const migrated = await world.json<{ applied: string[]; admin_key: string }>(0, ['migrate'])
    expect(migrated.applied.length).toBeGreaterThan(0)
    expect(migrated.admin_key).toMatch(/^sk_live_platform_\w{43}$/)
    expect(await world.json(0, ['migrate'])).toMatchObject({ applied: [], admin_key: null })
    await world.expect(0, ['apply', '--auto-approve', '--database-url', databaseUrlOf(database.owner)])
  })

  test('does not open for another root key', async () => {
    const { world } = await worldOnEmpty()
    world.write(repository)
    await world.expect(0, ['migrate'])
    const other = { FIBRIC_ROOT_KEY: Buffer.alloc(32, 'another root key').toString('hex') }
    for (const command of [['plan'], ['apply', '--auto-approve'], ['migrate']]) {
      const { error } = await world.json<{ error: { code: string; hint: string } }>(1, command, other)
      expect(['ROOT_KEY_INVALID', 'MIGRATION_NEEDED']).toContain(error.code)
      expect(error.hint).toContain('root.key')
    }
    const none = await world.json<{ error: { code: string } }>(1, ['plan'], { FIBRIC_ROOT_KEY: '' })
    expect(none.error.code).toBe('ROOT_KEY_MISSING')
    await world.expect(0, ['plan'])
  })

  test('that is not there is an error that names no password', async () => {
    const world = embeddedWorld()
    world.write(repository)
    const url = 'postgresql://someone:secret-word@127.0.0.1:1/nowhere'
    const ran = await world.run(['plan', '--database-url', url], { FIBRIC_ROOT_KEY: rootKeyText })
    expect(ran.exit).toBe(1)
    expect(ran.stderr).toContain('DATABASE_UNAVAILABLE')
    expect(ran.stdout + ran.stderr).not.toContain('secret-word')
  })
})

/** A repository whose database lies beside it. */
function embeddedWorld(): World {
  const world = new World(null)
  cleanups.push(async () => {
    for (const pid of processesIn(world)) process.kill(pid, 'SIGKILL')
    world.remove()
  })
  return world
}

async function worldOnEmpty() {
  const database = await emptyDatabase()
  const world = new World(database)
  cleanups.push(async () => {
    world.remove()
    await database.drop()
  })
  return { world, database }
}

function up(world: World, ...flags: string[]) {
  const child: ChildProcessByStdio<null, Readable, Readable> = spawn(bin, ['up', ...flags], {
    cwd: world.folder,
    env: plainEnvironment(),
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      output += chunk
    })
  }
  const closed = new Promise<number | null>((resolve) => child.on('close', (code) => resolve(code)))
  cleanups.push(async () => {
    child.kill('SIGKILL')
  })
  return {
    closed,
    output: () => output,
    said: async (text: string) => {
      for (let waited = 0; !output.includes(text); waited += 20) {
        if (waited > 30_000 || child.exitCode !== null) throw new Error(`\`up\` never said \`${text}\`:\n${output}`)
        await sleep(20)
      }
    },
    interrupt: async () => {
      child.kill('SIGINT')
      expect(await closed).toBe(0)
      expect(output).toContain('Stopped.')
    },
  }
}

function serverPid(world: World): number {
  return Number.parseInt(readFileSync(join(world.folder, '.fibric/postgres/postmaster.pid'), 'utf8'), 10)
}

/** Processes that were started with this folder in their command line or stand in it; only Linux shows them. */
function processesIn(world: World): number[] {
  if (!existsSync('/proc/self/cmdline')) return []
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => {
      try {
        return readFileSync(`/proc/${name}/cmdline`, 'utf8').includes(world.folder)
      } catch {
        return false // it ended while we looked
      }
    })
    .map(Number)
}
