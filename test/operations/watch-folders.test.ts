import { mkdirSync, mkdtempSync, realpathSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { watchBelow } from '../../controller/operations/watch-folders.ts'

let folder: string
let stop: () => void
const changed = vi.fn()

beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'fibric-watch-')))
  mkdirSync(join(folder, 'tenants/acme/operators'), { recursive: true })
  writeFileSync(join(folder, 'tenants/acme/operators/one.yaml'), 'one')
  stop = watchBelow(join(folder, 'tenants'), changed)
})

afterEach(() => {
  stop()
  rmSync(folder, { recursive: true, force: true })
})

/** Whether a change is heard of; what came before it is not counted. */
async function heard(change: () => void): Promise<void> {
  await sleep(50)
  changed.mockClear()
  change()
  await vi.waitFor(() => expect(changed).toHaveBeenCalled(), { timeout: 10_000 })
}

const write = (path: string) => () => writeFileSync(join(folder, 'tenants', path), String(Math.random()))

test('an edit deep below is heard of', () => heard(write('acme/operators/one.yaml')))

test('so is one in a folder that was made after the watch began', async () => {
  await heard(() => mkdirSync(join(folder, 'tenants/city/assets'), { recursive: true }))
  await heard(write('city/assets/two.yaml'))
})

test('and one in a folder that took the place of another', async () => {
  await heard(() => {
    mkdirSync(join(folder, 'next/operators'), { recursive: true })
    renameSync(join(folder, 'tenants/acme'), join(folder, 'gone'))
    renameSync(join(folder, 'next'), join(folder, 'tenants/acme'))
  })
  await heard(write('acme/operators/three.yaml'))
})

test('a file that goes away is heard of', () => heard(() => rmSync(join(folder, 'tenants/acme/operators/one.yaml'))))

test('nothing is heard of after the end', async () => {
  stop()
  await sleep(50)
  changed.mockClear()
  write('acme/operators/one.yaml')()
  await sleep(200)
  expect(changed).not.toHaveBeenCalled()
})

test('a folder that is not there is left out', () => {
  const end = watchBelow(join(folder, 'nowhere'), changed)
  expect(end).not.toThrow()
})
