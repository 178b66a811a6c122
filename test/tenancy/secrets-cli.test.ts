import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { folderWith, plainEnvironment, remove, root } from '../support/cli.ts'
import { type TestDatabase, testDatabase } from '../support/database.ts'

const canary = 'canary-on-the-command-line-8d1f'
let database: TestDatabase
let folder: string

beforeAll(async () => {
  database = await testDatabase()
  folder = folderWith({})
})
afterAll(async () => {
  await database.close()
  remove(folder)
})

const run = (argv: readonly string[], input = '') => {
  const environment = {
    ...plainEnvironment(),
    FIBRIC_DATABASE_URL: database.ownerUrl,
    FIBRIC_ROOT_KEY: Buffer.alloc(32, 'fibric test root key').toString('base64'),
    FIBRIC_TENANT: '_platform',
  }
  const ran = spawnSync(process.execPath, [join(root, 'cli/start.mjs'), ...argv], {
    cwd: folder,
    input,
    env: environment,
  })
  const [stdout, stderr] = [ran.stdout.toString('utf8'), ran.stderr.toString('utf8')]
  expect(stdout + stderr).not.toContain(canary)
  return { stdout, stderr, exit: ran.status }
}

test('a secret goes in by stdin, is listed by version, rotated and destroyed, and never comes out', () => {
  expect(run(['secrets', 'list'])).toEqual({ stdout: 'There are no secrets.\n', stderr: '', exit: 0 })
  const set = run(['secrets', 'set', 'shop.client_secret', '--json'], `${canary}\n`)
  expect(set.stderr).toBe('')
  expect(JSON.parse(set.stdout)).toEqual({
    object: 'secret',
    tenant: '_platform',
    name: 'shop',
    field: 'client_secret',
    version: 1,
    previous_until: null,
  })
  const rotated = run(['secrets', 'rotate', 'shop.client_secret', '--keep', '2h'], `${canary}-2`)
  expect(rotated.stdout).toMatch(/^shop\.client_secret of _platform is at version 2; version 1 is good until /)
  expect(run(['secrets', 'rotate']).stdout).toMatch(/2 values were wrapped anew/)
  const listed = JSON.parse(run(['secrets', 'list', '--json']).stdout) as { data: unknown[] }
  expect(listed.data).toMatchObject([{ name: 'shop', field: 'client_secret', version: 2, previous_version: 1 }])
  expect(run(['secrets', 'delete', 'shop'])).toMatchObject({ exit: 0 })
  expect(run(['secrets', 'delete', 'shop'])).toMatchObject({ stdout: '', exit: 1 })
})

test('a value on the command line is refused, as is a short one', () => {
  expect(run(['secrets', 'set', 'shop', 'value-as-an-argument'], canary)).toMatchObject({ exit: 64 })
  expect(run(['secrets', 'set', 'shop'], 'short')).toMatchObject({ exit: 64 })
  expect(run(['secrets', 'set', 'shop'], 'x'.repeat(100_000))).toMatchObject({ exit: 64 })
  expect(run(['connections', 'list'])).toEqual({ stdout: 'There are no connections.\n', stderr: '', exit: 0 })
})
