import { type ChildProcess, spawn } from 'node:child_process'
import { createHmac } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { setSecret } from '../../../controller/operations/secrets.ts'
import { fetchBranch } from '../../../controller/reconciler/git/fetch.ts'
import { open, parameter } from '../../operations/repositories.ts'
import { send } from '../../support/api.ts'
import { folderWith, plainEnvironment, remove, root } from '../../support/cli.ts'
import { type TestEngine, testEngine } from '../../support/engine.ts'
import { gitRepository, type TestRepository } from '../../support/git-repository.ts'

const password = 'token-of-the-repository'
const webhook = 'secret-of-the-webhook'

let engine: TestEngine
let repository: TestRepository
let host: Server
let url: string
/** What the host of the repository was sent as credentials. */
const authorizations = new Set<string | undefined>()
let controller: ChildProcess
let said = ''
let port: number

beforeAll(async () => {
  engine = await testEngine()
  await setSecret(engine, '_platform', 'git', Buffer.from(password))
  await setSecret(engine, '_platform', 'git.webhook', Buffer.from(webhook))
  repository = gitRepository()
  const files = Object.entries(open).map(([path, text]) => [`config/${path}`, text])
  repository.commit({ files: { ...Object.fromEntries(files), 'tenants/other.txt': 'no part of it' } })
  repository.git('branch', '-M', 'main')
  host = await hostOf(repository)
  url = `http://127.0.0.1:${(host.address() as AddressInfo).port}/config.git`
  controller = start()
  port = Number(await until(() => /answers at http:\/\/localhost:(\d+)/.exec(said)?.[1]))
  await until(() => said.includes('Following'))
})
afterAll(async () => {
  const ended = new Promise((resolve) => controller.on('close', resolve))
  controller.kill('SIGTERM')
  await ended
  host.close()
  repository.remove()
  await engine.close()
})

/** The repository as a web server gives out files, for whoever has the credential. */
async function hostOf({ directory, git }: TestRepository): Promise<Server> {
  const server = createServer((request, response) => {
    const { authorization } = request.headers
    authorizations.add(authorization)
    if (authorization !== `Basic ${Buffer.from(`x-access-token:${password}`).toString('base64')}`) {
      response.writeHead(401).end()
      return
    }
    git('update-server-info')
    const path = new URL(request.url!, 'http://host').pathname.replace('/config.git/', '')
    try {
      response.end(readFileSync(join(directory, '.git', path)))
    } catch {
      response.writeHead(404).end()
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return server
}

function start(): ChildProcess {
  const argv = ['controller', '--port', '0', '--git', url, '--path', 'config', '--credential', 'git', '--every', '1h']
  const child = spawn(process.execPath, [join(root, 'cli/start.mjs'), ...argv], {
    cwd: engine.directory,
    env: {
      ...plainEnvironment(),
      FIBRIC_DATABASE_URL: engine.config.databaseUrl!,
      FIBRIC_ROOT_KEY: Buffer.alloc(32, 'fibric test root key').toString('hex'),
      FIBRIC_DATA_DIR: engine.config.dataDirectory,
    },
  })
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      said += chunk
    })
  }
  return child
}

async function until<T>(read: () => T | Promise<T>): Promise<NonNullable<T>> {
  for (let tries = 0; ; tries++) {
    const value = await read()
    if (value) return value
    if (tries > 600) throw new Error(`it did not happen: ${said}`)
    await sleep(100)
  }
}

async function commitOf(address: string): Promise<string | null | undefined> {
  const rows = await engine.sql<{ commit_sha: string | null }>(
    'select commit_sha from fibric.object where address = $1',
    [address],
  )
  return rows[0]?.commit_sha
}

function push(headers: { readonly [name: string]: string }, body = '{"ref": "refs/heads/main"}') {
  return send(port, 'POST', '/v1/config/webhook', { raw: body, headers })
}

test('a branch of a repository elsewhere is applied, each object by its commit', async () => {
  expect(await commitOf('acme/Tenant/acme')).toBe(repository.git('rev-parse', 'HEAD').trim())
  expect(said).not.toContain(password)
})

test('a push that nobody signed is refused, and the branch is left for its time', async () => {
  const sha = repository.commit({ files: { 'config/tenants/acme/more.yaml': parameter('more', 1) } })
  const wrong = createHmac('sha256', 'another').update('{}').digest('hex')
  for (const headers of [{}, { 'x-hub-signature-256': `sha256=${wrong}` }, { 'x-gitlab-token': 'another' }]) {
    const sent = await push(headers as { [name: string]: string }, '{}')
    expect([sent.status, sent.json.error.code]).toEqual([401, 'webhook_unverified'])
  }
  expect(await commitOf('acme/Parameter/more')).toBeUndefined()
  expect(sha).toMatch(/^[0-9a-f]{40}$/)
})

test('a push that the host signed is applied at once', async () => {
  const body = '{"ref": "refs/heads/main"}'
  const signature = createHmac('sha256', webhook).update(body).digest('hex')
  expect((await push({ 'x-hub-signature-256': `sha256=${signature}` }, body)).status).toBe(202)
  const sha = repository.git('rev-parse', 'HEAD').trim()
  expect(await until(() => commitOf('acme/Parameter/more'))).toBe(sha)
})

test('a history that was rewritten is followed to where it is now', async () => {
  repository.git('reset', '--quiet', '--hard', 'HEAD~1')
  const sha = repository.commit({ files: { 'config/tenants/acme/other.yaml': parameter('other', 2) } })
  expect((await push({ 'x-gitlab-token': webhook })).status).toBe(202)
  expect(await until(() => commitOf('acme/Parameter/other'))).toBe(sha)
})

test('a host that is down is said, and what is applied stays; a push finds it back', async () => {
  const { port: taken } = host.address() as AddressInfo
  host.closeAllConnections()
  await new Promise((resolve) => host.close(resolve))
  expect((await push({ 'x-gitlab-token': webhook })).status).toBe(202)
  await until(() => said.includes('git fetch of `main`'))
  host = await hostOf(repository)
  await new Promise((resolve) => host.close(resolve))
  host.listen(taken, '127.0.0.1')
  const sha = repository.commit({ files: { 'config/tenants/acme/last.yaml': parameter('last', 3) } })
  expect((await push({ 'x-gitlab-token': webhook })).status).toBe(202)
  expect(await until(() => commitOf('acme/Parameter/last'))).toBe(sha)
  expect(said).not.toContain(password)
})

test.each([
  { name: 'an address with a password', url: 'https://user:canary@git.example.com/a.git', code: 'USAGE' },
  { name: 'a program as an address', url: 'ext::sh -c touch% /tmp/canary', code: 'USAGE' },
  { name: 'an option as an address', url: '--upload-pack=canary', code: 'USAGE' },
  { name: 'an option as a branch', branch: '--exec=canary', code: 'USAGE' },
  { name: 'a branch that is not there', branch: 'nothing', code: 'GIT' },
])('$name is refused', async ({ url: other, branch, code }) => {
  const directory = folderWith({})
  try {
    const remote = { url: other ?? repository.directory, branch: branch ?? 'main', directory, authorization: null }
    const error = await fetchBranch(remote).then(
      () => null,
      (thrown: { code: string; message: string }) => thrown,
    )
    expect(error?.code).toBe(code)
    expect(error?.message).not.toContain('user:canary')
  } finally {
    remove(directory)
  }
})
