import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { appendEvents } from '../../controller/ingest/append.ts'
import { sequencerOf, sweepEvents } from '../../controller/ingest/sequencer.ts'
import { readFrom } from '../../controller/store/events.ts'
import { acme, event, makeDomains } from '../ingest/world.ts'
import { type TestDatabase, testDatabase } from '../support/database.ts'
import { temporaryFolder } from './world.ts'

const child = fileURLToPath(new URL('./ingest-child.ts', import.meta.url))
const { folder, remove } = temporaryFolder()
let world: TestDatabase

beforeAll(async () => {
  world = await testDatabase()
  await makeDomains(world.database, acme)
})

afterAll(async () => {
  await world.close()
  remove()
})

/**
 * A process that appends three keyed events and consumes the log is killed at every point, before and after each
 * statement and after each commit; then the same is sent again. Nothing acknowledged may be missing, no key may have two
 * events, positions must stay dense, their order must never change, and in the end every event was delivered.
 */
test('killed between any two statements, ingest loses nothing acknowledged and doubles nothing', async () => {
  const whole = await run('dry', -1)
  expect(Number(whole.lines.at(-1)!.split(' ')[1])).toBeGreaterThan(20)
  const delivered = deliveredIn(whole.lines)
  let before: string[] = []
  // Positions are given beside everything else, how often depends on how soon: some processes take fewer statements.
  let killed = 0
  for (let outlived = 0; outlived < 3; ) {
    const point = killed + outlived
    const { lines, ended } = await run(`p${point}`, point)
    if (ended === 'SIGKILL') killed++
    else outlived++
    const again = [0, 1, 2].map((n) => crashEvent(`p${point}-${n}`))
    const resent = await appendEvents(world.database, acme, again)
    expect(resent.map(({ outcome }) => outcome)).not.toContain('conflict')
    await sequencerOf(world.database).settled()
    await sweepEvents(world.database)
    const log = await world.database.asTenant(acme, (tx) => readFrom(tx, acme, { after: 0, limit: 100_000 }))
    const ids = log.map(({ envelope }) => envelope.event_id)
    expect(log.map(({ position }) => position)).toEqual(log.map((_, index) => index + 1))
    expect(ids.slice(0, before.length)).toEqual(before)
    before = ids
    for (const id of deliveredIn(lines)) delivered.add(id)
    for (const line of lines.filter((text) => text.startsWith('acknowledged '))) {
      const [, key, id] = line.split(' ')
      expect(log.filter(({ key: own }) => own === key).map(({ envelope }) => envelope.event_id)).toEqual([id])
    }
    expect(log.filter(({ key }) => key?.startsWith(`p${point}-`))).toHaveLength(3)
    // The next holder need not wait for the lease of the one that was killed.
    await world.database.asWorker([acme], (tx) => tx.execute(`update fibric.event_consumer set lease_until = 'epoch'`))
  }
  expect(killed).toBeGreaterThan(20)
  for (const id of deliveredIn((await run('last', -1)).lines)) delivered.add(id)
  expect([...delivered]).toEqual(expect.arrayContaining(before))
})

function deliveredIn(lines: readonly string[]): Set<string> {
  return new Set(lines.flatMap((line) => (line.startsWith('delivered ') ? [line.slice('delivered '.length)] : [])))
}

function crashEvent(key: string) {
  return event({ key }, { source: 'crash', eventType: 'crash.sent', key })
}

async function run(name: string, point: number): Promise<{ lines: string[]; ended: unknown }> {
  const started = spawn(process.execPath, [child, world.ownerUrl, acme, name, String(point)], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { PATH: process.env.PATH, NODE_COMPILE_CACHE: folder },
  })
  let text = ''
  started.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk
  })
  const ended = await new Promise((resolve) => started.on('close', (code, signal) => resolve(signal ?? code)))
  expect(point < 0 ? [0] : [0, 'SIGKILL']).toContain(ended)
  return { lines: text.split('\n').slice(0, -1), ended }
}
