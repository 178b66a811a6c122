import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ProgramPool, poolLimits } from '../../controller/connectors/mcp/pool.ts'
import { serverOf, whyNotStarted } from '../../controller/connectors/mcp/server.ts'
import { ConnectorRuntime } from '../../controller/connectors/runtime.ts'
import { findSandbox, installedPrograms, type NoSandbox, type Sandbox } from '../../controller/connectors/sandbox.ts'
import type { TenantId } from '../../controller/domain/ids.ts'
import { fates, type TestEngine, testEngine } from '../support/engine.ts'
import { startProvider } from '../support/provider.ts'
import { attempt, bind, labFiles, tenantIdOf } from './lab.ts'
import { mcpConnector } from './mcp-lab.ts'

const here = fileURLToPath(new URL('.', import.meta.url))
const script = join(here, 'mcp-program.mjs')
const bubblewrap = await findSandbox({ ...installedPrograms(), unshare: null })
const unshare = await findSandbox({ ...installedPrograms(), bwrap: null })
const kinds = [
  { kind: 'bubblewrap', sandbox: bubblewrap },
  { kind: 'unshare', sandbox: unshare },
]

/** The folder a program may write to, and one beside it that it must not see. */
const folder = realpathSync(mkdtempSync(join(tmpdir(), 'fibric-mcp-')))
const inbox = join(folder, 'inbox')
const secret = join(folder, 'secret')

const program = (digest: string): string =>
  mcpConnector(
    `{command: [node, "${script}"], files: [{path: "${here}"}, {path: "${folder}/\${config.folder}", write: true}], ${digest}}`,
  )

async function open(mcp: string, more = {}): Promise<{ engine: TestEngine; tenant: TenantId }> {
  const engine = await testEngine({
    ...labFiles({ port: 1 }, '{kind: none}'),
    'tenants/_platform/connectors/lab.yaml': mcp,
    'tenants/acme/connections/main.yaml': `
apiVersion: fibric.io/v1
kind: Connection
metadata: {name: main}
spec: {connector: lab@1.0.0, as: [lab], config: {folder: inbox}}
`,
    ...more,
  })
  const refused = Object.entries(fates(await engine.apply())).filter(([, outcome]) => outcome !== 'applied')
  if (refused.length > 0) throw new Error(`not applied: ${JSON.stringify(refused)}`)
  return { engine, tenant: await tenantIdOf(engine, 'acme') }
}

function runtimeOf(engine: TestEngine, sandbox: Sandbox | NoSandbox, pool = new ProgramPool()): ConnectorRuntime {
  const mcp = { sandbox: () => Promise.resolve(sandbox), pool }
  return new ConnectorRuntime({ database: engine.database, clock: engine.clock, aws: null, mcp })
}

let digest = ''

beforeAll(async () => {
  chmodSync(folder, 0o755)
  mkdirSync(inbox)
  chmodSync(inbox, 0o777)
  writeFileSync(secret, 'of no concern')
  const { engine, tenant } = await open(program(''))
  const runtime = runtimeOf(engine, bubblewrap.kind === 'none' ? unshare : bubblewrap)
  const refused = await attempt(runtime, await bind(runtime, tenant, 'text.say'), { text: 'hi' })
  digest = /sha256:[0-9a-f]{64}/.exec(refused.reason)?.[0] ?? ''
  await runtime.close()
  await engine.close()
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe.each(kinds)('a program in $kind', ({ kind, sandbox }) => {
  const missing = sandbox.kind === 'none'
  let engine: TestEngine
  let runtime: ConnectorRuntime
  let tenant: TenantId
  const call = async (capability: string, args: object = {}) =>
    attempt(runtime, await bind(runtime, tenant, capability), args as never)

  beforeAll(async () => {
    if (missing) return console.warn(`skipped: ${sandbox.reason}`)
    ;({ engine, tenant } = await open(program(`toolsDigest: "${digest}"`)))
    runtime = runtimeOf(engine, sandbox)
  })
  afterAll(async () => {
    await runtime?.close()
    await engine?.close()
  })

  test.skipIf(missing)('carries calls out, and reads', async () => {
    expect(await call('text.say', { text: 'hi' })).toMatchObject({ kind: 'applied', body: { said: 'hi' } })
    expect(await call('text.tell', { text: 'hi' })).toMatchObject({ kind: 'applied', body: { said: 'told: hi' } })
    const bound = await bind(runtime, tenant, 'text.read')
    const read = await runtime.read(bound, { text: 'x' }, new AbortController().signal)
    expect(read).toMatchObject({ kind: 'ok', body: { said: 'x' } })
  })

  test.skipIf(missing)('sees no network, no environment, and of this machine what was bound', async () => {
    const listener = await startProvider()
    const { body } = await call('text.reach', { port: listener.port })
    await listener.close()
    expect(body).toMatchObject({ reached: expect.stringMatching(/ECONNREFUSED|ENETUNREACH/) })
    const { env, folders } = body as { env: string[]; folders: string[] }
    expect(env.sort()).toEqual(['HOME', 'LANG', 'PATH', ...(env.includes('PWD') ? ['PWD'] : [])])
    expect(folders).not.toContain('root')
    expect(folders).not.toContain('home')
  })

  test.skipIf(missing)('writes where it may, and nowhere else', async () => {
    const write = async (path: string) => (await call('text.write', { path, text: 'x' })).body
    expect(await write(join(inbox, 'letter'))).toEqual({ written: true })
    expect(readFileSync(join(inbox, 'letter'), 'utf8')).toBe('x')
    // Beside what is bound lies a folder of the program's own, whatever it is called.
    await write(secret)
    for (const path of [join(here, 'letter'), '/usr/letter', '/letter', '/etc/letter']) {
      expect(await write(path), path).toMatchObject({ written: false })
    }
    expect(readFileSync(secret, 'utf8')).toBe('of no concern')
    expect(existsSync(join(here, 'letter'))).toBe(false)
  })

  test.skipIf(missing)(
    'that says isError, errs, hangs, floods or dies leaves a doubt, and the next call a new program',
    async () => {
      expect(await call('text.refuse')).toMatchObject({ kind: 'unknown', reason: 'the tool answered isError' })
      expect(await call('text.weigh')).toMatchObject({ kind: 'failed' })
      expect(await call('text.err')).toMatchObject({ kind: 'unknown' })
      expect(await call('text.hang')).toMatchObject({ kind: 'unknown' })
      for (const capability of ['text.crash', 'text.flood']) {
        expect(await call(capability), capability).toMatchObject({
          kind: 'unknown',
          reason: expect.stringContaining('no answer'),
        })
        expect(await call('text.say', { text: 'again' })).toMatchObject({ kind: 'applied' })
      }
    },
  )

  test.skipIf(missing)('writes nothing without the token of an intent, and nothing twice with one', async () => {
    const bound = await bind(runtime, tenant, 'text.write')
    const path = join(inbox, `gated-${kind}`)
    const args = { path, text: '1' }
    const planned = runtime.plan(bound, args)
    if ('problem' in planned) throw new Error(planned.problem)
    const other = await attempt(runtime, bound, args, {
      alter: (token) => ({ ...token, bodyDigest: 'sha256:0' as never }),
    })
    expect(other).toMatchObject({ kind: 'not-sent', reason: 'the token is for another call' })
    const late = await attempt(runtime, bound, args, {
      alter: (token) => ({ ...token, deadlineMs: performance.now() - 1 }),
    })
    expect(late).toMatchObject({ kind: 'not-sent' })
    expect(existsSync(path)).toBe(false)
    const token = { ...planned.request, actionId: 'act_once', attempt: 1, deadlineMs: performance.now() + 10_000 }
    expect(await attempt(runtime, bound, args, { token })).toMatchObject({ kind: 'applied' })
    expect(await attempt(runtime, bound, args, { token })).toMatchObject({
      kind: 'not-sent',
      reason: 'the token was used before',
    })
  })

  test.skipIf(missing)('whose tools change is called no more, and its connection is marked', async () => {
    expect(await call('text.change')).toMatchObject({ kind: 'applied' })
    expect(await call('text.say', { text: 'hi' })).toMatchObject({
      kind: 'failed',
      reason: expect.stringMatching(/^Drifted/),
    })
    await expect
      .poll(() => engine.sql('select address, pinned from fibric.connection_drift'))
      .toEqual([{ address: 'acme/Connection/main', pinned: digest }])
  })
})

const some = bubblewrap.kind === 'none' ? unshare : bubblewrap

describe('programs', () => {
  test.skipIf(some.kind === 'none')(
    'are bounded in number: one that rests makes room, else the call waits',
    async () => {
      const second = `
apiVersion: fibric.io/v1
kind: Connection
metadata: {name: second}
spec: {connector: lab@1.0.0, as: [other], config: {folder: inbox}}
`
      const { engine, tenant } = await open(program(`toolsDigest: "${digest}"`), {
        'tenants/acme/connections/second.yaml': second,
      })
      const pool = new ProgramPool({ ...poolLimits, programsMax: 1 })
      const runtime = runtimeOf(engine, some, pool)
      const on = async (connection: string, capability: string) => {
        const bound = await runtime.resolve(tenant, capability, connection)
        if (bound.kind === 'unbound') throw new Error(bound.reason)
        return attempt(runtime, bound, { text: 'x' })
      }
      expect(await on('main', 'text.say')).toMatchObject({ kind: 'applied' })
      expect(await on('second', 'text.say')).toMatchObject({ kind: 'applied' })
      expect(pool.size).toBe(1)
      const busy = on('second', 'text.hang')
      await new Promise((resolve) => setTimeout(resolve, 100))
      expect(await on('main', 'text.say')).toMatchObject({
        kind: 'not-done',
        reason: expect.stringContaining('all of them are at work'),
      })
      expect(await busy).toMatchObject({ kind: 'unknown' })
      await runtime.close()
      expect(pool.size).toBe(0)
      expect(await on('main', 'text.say'), 'it begins anew').toMatchObject({ kind: 'applied' })
      await runtime.close()
      await engine.close()
    },
  )

  test('are not started where nothing can confine them', async () => {
    const { engine, tenant } = await open(program(''))
    const nothing = await findSandbox({ ...installedPrograms(), bwrap: null, unshare: null })
    expect(nothing).toMatchObject({ kind: 'none', hint: expect.stringContaining('install bubblewrap') })
    const runtime = runtimeOf(engine, nothing)
    const refused = await attempt(runtime, await bind(runtime, tenant, 'text.say'), { text: 'hi' })
    expect(refused).toMatchObject({
      kind: 'not-done',
      reason: expect.stringContaining('no program can be confined here'),
    })
    await engine.close()
  })

  test.skipIf(some.kind === 'none')('of a tenant’s own connector are those the Deployment lists', async () => {
    const own = mcpConnector(`{command: [node, x.js]}`, '')
    const deployment = `
apiVersion: fibric.io/v1
kind: Deployment
metadata: {name: lab}
spec: {mcpCommands: [node]}
`
    const { engine, tenant } = await open(program(''), {
      'fibric.yaml': deployment,
      'tenants/_platform/connectors/lab.yaml': null,
      'tenants/acme/connectors/lab.yaml': own,
    })
    const runtime = runtimeOf(engine, some)
    // The program is let through; that it does not begin is another matter.
    const started = await attempt(runtime, await bind(runtime, tenant, 'text.say'), { text: 'hi' })
    expect(started).toMatchObject({ kind: 'not-done', reason: expect.stringContaining('did not begin') })
    await runtime.close()
    await engine.close()
    const { command, files } = { command: ['node', 'x.js'], files: [{ path: '/srv', write: false }] }
    expect(whyNotStarted({ kind: 'program', command, files: [] }, false, ['python3'])).toContain('may not start `node`')
    expect(whyNotStarted({ kind: 'program', command, files }, false, ['node'])).toContain('may bind no files')
    expect(whyNotStarted({ kind: 'program', command, files }, true, [])).toBe(null)
  })

  test.each(['/', '/proc', '/etc/passwd', '/usr/../etc', '/sys/kernel', 'relative', '/lib64/x'])(
    'are never shown %s',
    (path) => {
      const connector = { mcp: { command: ['x'], files: [{ path }] } }
      expect(() => serverOf({ connection: {}, connector })).toThrow()
    },
  )

  test('are shown one folder of a kind where the tenant says which, and none beside it', () => {
    const connector = { mcp: { command: ['x'], files: [{ path: '/srv/files/${config.folder}', write: true }] } }
    const server = (folder: string) => serverOf({ connection: { config: { folder } }, connector })
    expect(server('inbox')).toMatchObject({ files: [{ path: '/srv/files/inbox', write: true }] })
    for (const folder of ['..', '.', '../etc', 'a/b', '']) expect(() => server(folder), folder).toThrow()
  })
})
