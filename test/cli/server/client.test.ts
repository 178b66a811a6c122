import { createServer, request, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { open } from '../../operations/repositories.ts'
import { type TestApi, testApi } from '../../support/api.ts'
import { fibric, type Ran, root } from '../../support/cli.ts'
import { type TestEngine, testEngine } from '../../support/engine.ts'

let engine: TestEngine
let api: TestApi
let token: string
let front: Front

beforeAll(async () => {
  engine = await testEngine(open)
  await engine.apply()
  api = await testApi(engine)
  token = await api.key(null)
  front = await startFront(api.port)
})
afterAll(async () => {
  front.close()
  await api.close()
  await engine.close()
})

/** What stands between a command and the server: hands on, and loses answers when it is told to. */
interface Front {
  readonly port: number
  readonly seen: { readonly method: string; readonly path: string; readonly key: string | undefined }[]
  /** How many answers are lost from now on, after the server has given them. */
  lose: number
  close(): void
}

async function startFront(port: number): Promise<Front> {
  const front = { port: 0, seen: [] as Front['seen'], lose: 0, close: () => void server.close() }
  const server: Server = createServer((incoming, outgoing) => {
    const { method = '', url: path = '', headers } = incoming
    front.seen.push({ method, path, key: headers['idempotency-key'] as string | undefined })
    const lost = front.lose > 0
    if (lost) front.lose--
    const onwards = request({ host: '127.0.0.1', port, method, path, headers }, (answer) => {
      if (lost) {
        answer.resume().on('end', () => outgoing.destroy())
        return
      }
      outgoing.writeHead(answer.statusCode!, answer.headers)
      answer.pipe(outgoing)
    })
    incoming.pipe(onwards)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return Object.assign(front, { port: (server.address() as AddressInfo).port })
}

function run(line: string, more: NodeJS.ProcessEnv = {}): Promise<Ran> {
  const environment = { FIBRIC_SERVER: `http://127.0.0.1:${front.port}`, FIBRIC_TOKEN: token, ...more }
  return fibric(line.split(' '), root, environment)
}

test('a change whose answer was lost is made once, and its answer is still given', async () => {
  front.lose = 2
  const ran = await run('keys create --tenant acme --role ingest --name once --json')
  expect([ran.exit, ran.stderr]).toEqual([0, ''])
  const made = JSON.parse(ran.stdout)
  expect(made.secret).toMatch(/^sk_live_/)
  const sent = front.seen.filter(({ method }) => method === 'POST')
  expect([sent.length, new Set(sent.map(({ key }) => key)).size]).toEqual([3, 1])
  const listed = await api.send('GET', '/v1/tenant/keys?tenant=acme', { key: token })
  expect(listed.json.data.map(({ id }: { id: string }) => id)).toEqual([made.id])
})

test('a change without a key of its own is not sent again', async () => {
  front.seen.length = 0
  front.lose = 1
  const ran = await run('events send order.created --tenant acme --json')
  expect([ran.exit, JSON.parse(ran.stdout).error.code]).toEqual([1, 'SERVER_UNREACHABLE'])
  expect(front.seen.length).toBe(1)
})

test('a server that is not there is named, and nothing of the credential is', async () => {
  const ran = await run('state list', { FIBRIC_SERVER: 'http://127.0.0.1:1', FIBRIC_TOKEN: 'sk_live_canary' })
  expect(ran.exit).toBe(1)
  expect(ran.stderr).toContain('`http://127.0.0.1:1` does not answer')
  expect(ran.stderr).not.toContain('canary')
})

test.each(['sk_live_canary\nwith a line break', 'sk_live_canary\u00e9'])(
  'a credential that no header can hold is not repeated: %j',
  async (bad) => {
    const ran = await run('state list --json', { FIBRIC_TOKEN: bad })
    expect(JSON.parse(ran.stdout).error.code).toBe('KEY_INVALID')
    expect(ran.stdout + ran.stderr).not.toContain('canary')
  },
)

test.each([
  { name: 'a wrong key', token: 'sk_live_nothing', exit: 1, code: 'KEY_INVALID' },
  { name: 'an address that is none', server: 'localhost:4310', exit: 64, code: 'USAGE' },
  { name: 'a page that is no fibric server', server: 'page', exit: 1, code: 'SERVER_UNREACHABLE' },
  {
    name: 'another API with errors of its own',
    server: 'page',
    body: '{"error":"no"}',
    exit: 1,
    code: 'SERVER_UNREACHABLE',
  },
])('$name ends with its code', async ({ token: other, server, body, exit, code }) => {
  const page = createServer((_incoming, outgoing) => {
    if (body === undefined) outgoing.end('<html></html>')
    else outgoing.writeHead(404, { 'content-type': 'application/json' }).end(body)
  })
  await new Promise<void>((resolve) => page.listen(0, '127.0.0.1', resolve))
  const address = server === 'page' ? `http://127.0.0.1:${(page.address() as AddressInfo).port}` : server
  const ran = await run('state list --json', {
    ...(other && { FIBRIC_TOKEN: other }),
    ...(address && { FIBRIC_SERVER: address }),
  })
  page.close()
  expect([ran.exit, JSON.parse(ran.stdout).error.code]).toEqual([exit, code])
})

test('lists are followed to their end', async () => {
  await engine.sql(
    `insert into fibric.ledger_entry (tenant_id, entry_id, kind, bytes, leaf, created_at)
     select 't_platform', 'rc_' || lpad(n::text, 32, '0'), 'control.test', '{}', sha256(n::text::bytea), now()
       from generate_series(1, 250) n`,
  )
  const ran = await run('receipts list --json')
  expect(JSON.parse(ran.stdout).data.length).toBeGreaterThan(250)
  const limited = await run('receipts list --json --limit 120')
  expect(JSON.parse(limited.stdout).data.length).toBe(120)
})

test('what works on this machine alone asks no server, whatever the environment names', async () => {
  const here = {
    FIBRIC_SERVER: 'http://127.0.0.1:1',
    FIBRIC_DATABASE_URL: engine.config.databaseUrl!,
    FIBRIC_ROOT_KEY: Buffer.alloc(32, 'fibric test root key').toString('hex'),
    FIBRIC_TOKEN: '',
  }
  const ran = await run('break-glass --reason why --for 1h --json', here)
  expect([ran.exit, JSON.parse(ran.stdout)]).toMatchObject([0, { object: 'break_glass' }])
  const named = await run('break-glass --reason why --for 1h --json --server http://127.0.0.1:1')
  expect([named.exit, JSON.parse(named.stdout).error.hint]).toEqual([64, 'leave out --server: fibric break-glass'])
})
