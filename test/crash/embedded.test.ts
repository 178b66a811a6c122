import { execFileSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { serversOf } from '../../controller/store/embedded/processes.ts'
import { startEmbedded } from '../../controller/store/embedded/server.ts'
import { findFaults, type Summary, summarise } from './ledger-state.ts'
import { first, second } from './repositories.ts'
import {
  embeddedConfig,
  ended,
  runSession,
  type Session,
  startChild,
  temporaryFolder,
  writeRepository,
} from './world.ts'

/**
 * The other end of the wire: the embedded PostgreSQL itself is killed, with every process of it, while a command applies.
 * It runs as it does for users, fsync and all, so what was committed has to be there when it comes up again.
 */
const { folder, remove } = temporaryFolder()
const cache = join(folder, 'cache')
const template = join(folder, 'template')
const apply: Session = { steps: [{ do: 'apply', directory: join(folder, 'second') }] }

beforeAll(async () => {
  writeRepository(join(folder, 'first'), first)
  writeRepository(join(folder, 'second'), second)
  mkdirSync(template)
  await runSession(embeddedConfig(template), { steps: [{ do: 'apply', directory: join(folder, 'first') }] }, cache)
  await (await startEmbedded({ dataDirectory: template })).stop()
})

afterAll(remove)

test('a server that is killed while a plan is applied loses nothing that was committed, and nothing is done twice', async () => {
  const reference = await onCopy('reference', async (directory) => {
    const { points } = await runSession(embeddedConfig(directory), apply, cache)
    return { points, ...(await look(directory)) }
  })
  expect(reference.faults).toEqual([])
  const points = spread(reference.points, 12)
  const failures: string[] = []
  for (const [index, point] of points.entries()) {
    const { summary, faults } = await onCopy(`run-${index}`, async (directory) => {
      await applyAndKillServer(directory, point)
      await runSession(embeddedConfig(directory), apply, cache)
      return look(directory)
    })
    if (JSON.stringify(summary) !== JSON.stringify(reference.summary)) failures.push(`${point}: the end is another`)
    failures.push(...faults.map((fault) => `${point}: ${fault}`))
  }
  process.stdout.write(`the server killed: ${points.length} points of ${reference.points.length}\n`)
  expect(failures).toEqual([])
})

async function applyAndKillServer(directory: string, point: string): Promise<void> {
  const orders = { config: embeddedConfig(directory), steps: apply.steps, stop: { at: point, how: 'wait' } } as const
  const child = startChild(orders, cache)
  const end = ended(child)
  await new Promise<void>((resolve, reject) => {
    child.stdout!.on('data', (chunk) => String(chunk).includes('stopped') && resolve())
    child.once('close', () => reject(new Error(`\`${point}\` was not reached`)))
  })
  for (const pid of serversOf(join(directory, 'postgres'))) process.kill(pid, 'SIGKILL')
  child.stdin!.end('go on\n')
  const { report, stderr } = await end
  if (report === null) throw new Error(`${point}: the process ended without a report: ${stderr}`)
  // After its last commit a command may not need the server any more; after its first it says what was kept.
  if (report.error !== null) expect(['DATABASE_UNAVAILABLE', 'PARTLY_APPLIED']).toContain(report.error.code)
}

async function look(directory: string): Promise<{ summary: Summary; faults: string[] }> {
  const server = await startEmbedded({ dataDirectory: directory })
  try {
    const database = { ...server.superuser, database: server.owner.database }
    return { summary: await summarise(database), faults: await findFaults(database) }
  } finally {
    await server.stop()
  }
}

async function onCopy<T>(name: string, work: (directory: string) => Promise<T>): Promise<T> {
  const directory = join(folder, name)
  execFileSync('cp', ['-a', template, directory])
  try {
    return await work(directory)
  } finally {
    execFileSync('rm', ['-rf', directory])
  }
}

/** Some of a list, its last included, at even distances. */
function spread<T>(list: readonly T[], count: number): T[] {
  const step = Math.max(1, Math.floor(list.length / count))
  return list
    .toReversed()
    .filter((_, index) => index % step === 0)
    .slice(0, count)
}
