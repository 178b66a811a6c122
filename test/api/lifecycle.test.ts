import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { apiLogger } from '../../controller/api/logging.ts'
import { FibricError } from '../../controller/domain/errors.ts'
import { open, parameter } from '../operations/repositories.ts'
import { send, testApi } from '../support/api.ts'
import { folderWith, plainEnvironment, remove, root } from '../support/cli.ts'
import { type TestEngine, testEngine } from '../support/engine.ts'

const cleanups: (() => Promise<void> | void)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

test('while it drains it tells callers to come back, answers what runs, and then is gone', async () => {
  const gate = gateway()
  const engine = await openEngine({
    around: (database) => ({
      ...database,
      asTenant: async (...call) => {
        await gate.passed
        return database.asTenant(...call)
      },
    }),
  })
  await engine.apply()
  const api = await testApi(engine)
  const key = await api.key('acme')
  gate.close()
  const running = api.send('GET', '/v1/tenant', { key })
  await until(async () => gate.waiting() || (await api.send('GET', '/healthz')).status !== 200)
  const drained = api.close()
  const refused = await api.send('GET', '/v1/tenant', { key })
  expect([refused.status, refused.json.error.code]).toEqual([503, 'service_unavailable'])
  expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0)
  expect(refused.headers.connection).toBe('close')
  expect((await api.send('GET', '/readyz')).status).toBe(503)
  expect((await api.send('GET', '/healthz')).status).toBe(200)
  gate.open()
  expect((await running).status).toBe(200)
  await drained
  await expect(api.send('GET', '/healthz')).rejects.toThrow(/ECONNREFUSED/)
})

test('without its database it is alive, not ready, and says nothing of why', async () => {
  let isDown = false
  const down = new FibricError('DATABASE_UNAVAILABLE', 'no answer from db.internal:5432')
  const engine = await openEngine({
    around: (database) => ({
      ...database,
      asTenant: (...call) => (isDown ? Promise.reject(down) : database.asTenant(...call)),
      asWorker: (...call) => (isDown ? Promise.reject(down) : database.asWorker(...call)),
    }),
  })
  await engine.apply()
  const api = await testApi(engine)
  cleanups.push(() => api.close())
  const key = await api.key('acme')
  isDown = true
  const refused = await api.send('GET', '/v1/tenant', { key })
  expect([refused.status, refused.json.error.code]).toEqual([503, 'service_unavailable'])
  expect(refused.text).not.toContain('db.internal')
  expect(refused.headers['retry-after']).toBeDefined()
  expect((await api.send('GET', '/readyz')).status).toBe(503)
  expect((await api.send('GET', '/healthz')).status).toBe(200)
  isDown = false
  expect((await api.send('GET', '/v1/tenant', { key })).status).toBe(200)
})

test('a defect is answered without its cause, which stands in the log under the request’s id', async () => {
  const lines: string[] = []
  const logger = apiLogger('info', { write: (line: string) => void lines.push(line) })
  const secret = `sk_live_acme_${'A'.repeat(43)}`
  logger.error({ request_id: 'req_1', error: new Error(`bad key ${secret}`, { cause: new Error(secret) }) }, 'failed')
  logger.info({ headers: { authorization: `Bearer ${secret}` }, token: 'hush', note: secret }, 'answered')
  expect(lines).toHaveLength(2)
  for (const line of lines) {
    expect(line).not.toContain('AAAA')
    expect(line).not.toContain('hush')
    JSON.parse(line)
  }
  expect(JSON.parse(lines[0]!).error.cause.name).toBe('Error')
})

test('up serves the folder it follows, for the key it printed, until it is interrupted', async () => {
  const folder = folderWith({ ...(open as { [path: string]: string }), 'tenants/acme/a.yaml': parameter('a', 1) })
  cleanups.push(() => remove(folder))
  const child = spawn(process.execPath, [join(root, 'cli/start.mjs'), 'up', '--port', '0'], {
    cwd: folder,
    env: plainEnvironment(),
  })
  let printed = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    printed += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    printed += text
  })
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve))
  await until(async () => /The API answers at/.test(printed) || child.exitCode !== null)
  const port = Number(/localhost:(\d+)\/v1/.exec(printed)?.[1])
  const key = /sk_live_platform_\w+/.exec(printed)?.[0] ?? null
  const status = await send(port, 'GET', '/v1/config/status', { key })
  expect(status.json).toMatchObject({ genesis: 'closed', follows: true, waiting: 0 })
  const shown = await send(port, 'GET', '/v1/tenant', { key: null, host: 'acme.localhost' })
  expect(shown.json.error.code).toBe('key_invalid')
  child.kill('SIGINT')
  expect(await ended).toBe(0)
  await expect(send(port, 'GET', '/healthz')).rejects.toThrow(/ECONNREFUSED/)
})

async function openEngine(options: Parameters<typeof testEngine>[1]): Promise<TestEngine> {
  const engine = await testEngine({ ...open }, options)
  cleanups.push(() => engine.close())
  return engine
}

function gateway() {
  let release: () => void = () => {}
  let passed = Promise.resolve()
  let waiting = false
  return {
    get passed() {
      waiting = true
      return passed
    },
    close() {
      waiting = false
      passed = new Promise((resolve) => {
        release = resolve
      })
    },
    open: () => release(),
    waiting: () => waiting,
  }
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 20))
}
