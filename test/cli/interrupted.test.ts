import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'

const module = join(import.meta.dirname, '../../cli/interrupted.ts')
/** A command whose end never comes. */
const endless = `
  const { untilInterrupted } = await import(${JSON.stringify(module)})
  untilInterrupted().addEventListener('abort', () => process.stdout.write('stopping'))
  setInterval(() => {}, 1000)
  process.stdout.write('ready')`

test('a second interrupt ends a command that cannot finish, but not one that comes along with the first', async () => {
  const child = spawn(process.execPath, ['--input-type=module', '-e', endless], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const closed = once(child, 'close')
  try {
    await once(child.stdout, 'data')
    child.kill('SIGINT')
    await once(child.stdout, 'data')
    child.kill('SIGINT')
    await sleep(1200)
    expect(child.exitCode).toBeNull()
    child.kill('SIGINT')
    expect((await closed)[0]).toBe(130)
  } finally {
    child.kill('SIGKILL')
  }
})
