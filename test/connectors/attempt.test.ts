import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { ConnectorRuntime } from '../../controller/connectors/runtime.ts'
import type { TenantId } from '../../controller/domain/ids.ts'
import type { Bound } from '../../controller/executor/effects/connector.ts'
import type { TestEngine } from '../support/engine.ts'
import {
  answers,
  answersEndlessly,
  answersHalf,
  type Behaviour,
  hangsUp,
  type Provider,
  startProvider,
  staysSilent,
  writesRaw,
} from '../support/provider.ts'
import { attempt, bind, labEngine, tenantIdOf } from './lab.ts'

let provider: Provider
let engine: TestEngine
let runtime: ConnectorRuntime
let tenant: TenantId
const tools: { [name: string]: Bound } = {}
const path = '/api/things/t1'
const args = { id: 't1' }

beforeAll(async () => {
  provider = await startProvider()
  engine = await labEngine(provider)
  runtime = new ConnectorRuntime({ database: engine.database, clock: engine.clock, aws: null })
  tenant = await tenantIdOf(engine, 'acme')
  for (const name of ['make', 'keep', 'ask', 'drop', 'say', 'read']) {
    tools[name] = await bind(runtime, tenant, `thing.${name}`)
  }
})
afterAll(async () => {
  await engine.close()
  await provider.close()
})
beforeEach(async () => {
  provider.forget()
  await engine.sql('delete from fibric.egress_gate')
})

const body = (state: string) => answers(200, { state })

describe('what a first answer means', () => {
  const rows: { says: string; tool: string; does: Behaviour; kind: string; status: number | null }[] = [
    { says: '200', tool: 'make', does: answers(200, { ok: true }), kind: 'applied', status: 200 },
    { says: '201', tool: 'make', does: answers(201, { ok: true }), kind: 'applied', status: 201 },
    {
      says: '204 without a body',
      tool: 'drop',
      does: (_r, response) => void response.writeHead(204).end(),
      kind: 'applied',
      status: 204,
    },
    { says: '202 of a blind tool', tool: 'make', does: answers(202, { ok: true }), kind: 'applied', status: 202 },
    { says: '202 of a queryable tool', tool: 'ask', does: answers(202, {}), kind: 'unknown', status: 202 },
    { says: '200 of a queryable tool', tool: 'ask', does: answers(200, {}), kind: 'applied', status: 200 },
    { says: '425', tool: 'make', does: answers(425, {}), kind: 'not-done', status: 425 },
    { says: '429', tool: 'make', does: answers(429, {}), kind: 'not-done', status: 429 },
    { says: '409 of a keyed tool', tool: 'keep', does: answers(409, {}), kind: 'unknown', status: 409 },
    { says: '409 of another tool', tool: 'make', does: answers(409, {}), kind: 'failed', status: 409 },
    { says: '408', tool: 'make', does: answers(408, {}), kind: 'unknown', status: 408 },
    ...[500, 502, 503, 504, 599].map((status) => ({
      says: `${status}`,
      tool: 'make',
      does: answers(status, {}),
      kind: 'unknown',
      status,
    })),
    ...[301, 307, 308].map((status) => ({
      says: `${status}, which is not followed`,
      tool: 'make',
      does: answers(status, {}, { location: '/api/elsewhere' }),
      kind: 'failed',
      status,
    })),
    ...[302, 303].map((status) => ({
      says: `${status}`,
      tool: 'make',
      does: answers(status, {}, { location: '/api/elsewhere' }),
      kind: 'unknown',
      status,
    })),
    ...[400, 401, 403, 404, 410, 412, 422, 451].map((status) => ({
      says: `${status}`,
      tool: 'make',
      does: answers(status, {}),
      kind: 'failed',
      status,
    })),
    { says: 'reset', tool: 'make', does: hangsUp, kind: 'unknown', status: null },
    { says: 'half a body', tool: 'make', does: answersHalf, kind: 'unknown', status: 200 },
    { says: 'silence until the timeout', tool: 'make', does: staysSilent, kind: 'unknown', status: null },
    {
      says: 'success that is not JSON',
      tool: 'make',
      does: (_r, response) => void response.writeHead(200, { 'content-type': 'application/json' }).end('{"ok": tr'),
      kind: 'unknown',
      status: 200,
    },
    {
      says: 'success that is no UTF-8',
      tool: 'keep',
      does: (_r, response) => void response.writeHead(200).end(Buffer.from([0xff, 0xfe, 0x00])),
      kind: 'unknown',
      status: 200,
    },
    {
      says: 'compressed success',
      tool: 'make',
      does: (_r, response) => void response.writeHead(200, { 'content-encoding': 'gzip' }).end('{}'),
      kind: 'unknown',
      status: 200,
    },
    { says: 'no HTTP at all', tool: 'make', does: writesRaw('SSH-2.0-OpenSSH_9.6\r\n'), kind: 'unknown', status: null },
    {
      says: 'a head and no end',
      tool: 'make',
      does: writesRaw('HTTP/1.1 200 OK\r\ncontent-le'),
      kind: 'unknown',
      status: null,
    },
    {
      says: 'plain text where no schema asks for JSON',
      tool: 'keep',
      does: (_r, response) => void response.writeHead(200, { 'content-type': 'text/plain' }).end('OK'),
      kind: 'applied',
      status: 200,
    },
    { says: 'outcome applied', tool: 'say', does: body('done'), kind: 'applied', status: 200 },
    { says: 'outcome failed with 200', tool: 'say', does: body('refused'), kind: 'failed', status: 200 },
    { says: 'outcome not done with 200', tool: 'say', does: body('busy'), kind: 'not-done', status: 200 },
    { says: '200 that `applied` denies', tool: 'say', does: body('other'), kind: 'unknown', status: 200 },
    { says: '200 where `applied` cannot be told', tool: 'say', does: answers(200, {}), kind: 'unknown', status: 200 },
    {
      says: '500 of which `outcome` says applied',
      tool: 'say',
      does: answers(500, { state: 'done' }),
      kind: 'applied',
      status: 500,
    },
    { says: '400 that `outcome` does not cover', tool: 'say', does: answers(400, {}), kind: 'failed', status: 400 },
  ]
  test.each(rows)('$says: $kind', async ({ tool, does, kind, status }) => {
    provider.on(path, does)
    const result = await attempt(runtime, tools[tool]!, args)
    expect({ kind: result.kind, status: result.status }).toEqual({ kind, status })
    expect(provider.received.length, 'one attempt is one request').toBe(1)
  })

  test('a refused connection: not done', async () => {
    const closed = await startProvider()
    await closed.close()
    const other = await labEngine(closed)
    try {
      const own = new ConnectorRuntime({ database: other.database, clock: other.clock, aws: null })
      const bound = await bind(own, await tenantIdOf(other, 'acme'), 'thing.make')
      expect(await attempt(own, bound, args)).toMatchObject({ kind: 'not-done', reason: 'no connection: ECONNREFUSED' })
    } finally {
      await other.close()
    }
  })

  test('429 is done later, as told, and every replica leaves the host alone until then', async () => {
    provider.on(path, answers(429, {}, { 'retry-after': '7' }))
    expect(await attempt(runtime, tools.make!, args)).toMatchObject({ kind: 'not-done', retryAfterMs: 7000 })
    const replica = new ConnectorRuntime({ database: engine.database, clock: engine.clock, aws: null })
    const bound = await bind(replica, tenant, 'thing.keep')
    const second = await attempt(replica, bound, args)
    expect(second).toMatchObject({ kind: 'not-done', reason: 'the host asked to be left alone', status: null })
    expect(second.retryAfterMs).toBeGreaterThan(0)
    expect(second.retryAfterMs).toBeLessThanOrEqual(7000)
    expect(provider.received.length).toBe(1)
  })

  test('a Retry-After as a date is understood, and an absurd one bounded', async () => {
    provider.on(path, answers(429, {}, { 'retry-after': new Date(Date.now() + 86_400_000 * 365).toUTCString() }))
    await attempt(runtime, tools.make!, args)
    const [gate] = await engine.sql<{ hours: number }>(
      `select extract(epoch from closed_until - clock_timestamp())::float8 / 3600 as hours from fibric.egress_gate`,
    )
    expect(gate!.hours).toBeLessThanOrEqual(1)
  })

  test('a success whose body does not fit the output schema: applied, and flagged', async () => {
    provider.on(path, answers(200, { ok: 'yes' }))
    expect(await attempt(runtime, tools.make!, args)).toMatchObject({ kind: 'applied', outputInvalid: true })
    provider.on(path, answers(200, { ok: true }))
    expect(await attempt(runtime, tools.make!, args)).toMatchObject({ kind: 'applied', outputInvalid: false })
  })

  test('a second answer in the same breath changes nothing, for this attempt or the next', async () => {
    const ok = 'HTTP/1.1 400 Bad Request\r\ncontent-length: 2\r\n\r\n{}'
    const lie = 'HTTP/1.1 200 OK\r\ncontent-length: 11\r\ncontent-type: application/json\r\n\r\n{"ok":true}'
    provider.on(path, writesRaw(ok + lie, lie))
    expect(await attempt(runtime, tools.make!, args)).toMatchObject({ kind: 'failed', status: 400 })
    provider.on(path, answers(422, {}))
    expect(await attempt(runtime, tools.make!, args)).toMatchObject({ kind: 'failed', status: 422 })
  })

  test('an answer that comes before its deadline counts, however slow', async () => {
    provider.on(path, async (_request, response) => {
      response.writeHead(200, { 'content-type': 'application/json' })
      for (const part of ['{"ok"', ': tr', 'ue}']) {
        response.write(part)
        await sleep(60)
      }
      response.end()
    })
    expect(await attempt(runtime, tools.make!, args)).toMatchObject({ kind: 'applied' })
  })

  test('an informational answer is none', async () => {
    provider.on(
      path,
      writesRaw('HTTP/1.1 103 Early Hints\r\n\r\n', 'HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n'),
    )
    expect(await attempt(runtime, tools.make!, args)).toMatchObject({ kind: 'failed', status: 404 })
  })
})

describe('what the answer to a re-send means', () => {
  test.each([
    { tool: 'make', status: 404, kind: 'unknown' },
    { tool: 'make', status: 409, kind: 'unknown' },
    { tool: 'make', status: 410, kind: 'unknown' },
    { tool: 'make', status: 412, kind: 'unknown' },
    { tool: 'drop', status: 404, kind: 'applied' },
    { tool: 'drop', status: 410, kind: 'applied' },
    { tool: 'drop', status: 409, kind: 'unknown' },
    { tool: 'make', status: 400, kind: 'failed' },
    { tool: 'drop', status: 200, kind: 'applied' },
  ])('$status of `$tool`: $kind', async ({ tool, status, kind }) => {
    provider.on(path, answers(status, { ok: true }))
    expect(await attempt(runtime, tools[tool]!, args, { resend: true })).toMatchObject({ kind, status })
  })

  test('a refusal in the body settles nothing where our own first attempt may be its cause', async () => {
    provider.on(path, answers(409, { state: 'refused' }))
    expect(await attempt(runtime, tools.say!, args, { resend: true })).toMatchObject({ kind: 'unknown' })
    expect(await attempt(runtime, tools.say!, args, { resend: false })).toMatchObject({ kind: 'failed' })
    provider.on(path, answers(409, { state: 'done' }))
    expect(await attempt(runtime, tools.say!, args, { resend: true })).toMatchObject({ kind: 'applied' })
  })
})

describe('before the first byte', () => {
  const nothing = () => expect(provider.received).toEqual([])

  test.each([
    { what: 'another method', alter: { method: 'PUT' } },
    { what: 'another host', alter: { target: 'other.example/api/things/t1' } },
    { what: 'another path', alter: { target: `127.0.0.1:1/api/things/t2` } },
    { what: 'another body', alter: { bodyDigest: `sha256:${'0'.repeat(64)}` } },
  ])('a token for $what lets nothing out', async ({ alter }) => {
    const result = await attempt(runtime, tools.make!, args, { alter: (token) => ({ ...token, ...alter }) as never })
    expect(result).toMatchObject({ kind: 'failed', reason: expect.stringContaining('the token is for another') })
    nothing()
  })

  test('a token lets out one request, once', async () => {
    const planned = runtime.plan(tools.make!, args)
    if ('problem' in planned) throw new Error(planned.problem)
    const deadlineMs = performance.now() + 20_000
    const token = { ...planned.request, actionId: 'act_once', attempt: 1, deadlineMs }
    provider.on(path, answers(500, {}))
    expect(await attempt(runtime, tools.make!, args, { token, deadlineMs })).toMatchObject({ kind: 'unknown' })
    expect(await attempt(runtime, tools.make!, args, { token, deadlineMs })).toMatchObject({
      kind: 'not-sent',
      reason: 'the token was used before',
    })
    expect(provider.received.length).toBe(1)
  })

  test('a deadline that has passed: not sent', async () => {
    const deadlineMs = performance.now() - 1
    expect(await attempt(runtime, tools.make!, args, { deadlineMs })).toMatchObject({ kind: 'not-sent' })
    nothing()
  })

  test('an attempt that was aborted: not sent', async () => {
    expect(await attempt(runtime, tools.make!, args, { signal: AbortSignal.abort() })).toMatchObject({
      kind: 'not-sent',
    })
    nothing()
  })

  test('one that is aborted on its way: unknown', async () => {
    const kill = new AbortController()
    provider.on(path, () => kill.abort())
    expect(await attempt(runtime, tools.make!, args, { signal: kill.signal })).toMatchObject({ kind: 'unknown' })
  })
})

describe('a body without end', () => {
  test.each([{ declare: true }, { declare: false }])(
    'is cut off, 10 GB or not (declared: $declare)',
    async ({ declare }) => {
      const before = process.memoryUsage().rss
      provider.on(path, answersEndlessly(10 * 2 ** 30, declare))
      const result = await attempt(runtime, tools.make!, args)
      expect(result).toMatchObject({ kind: 'unknown', status: 200, body: null })
      expect(result.reason).toContain('too-large')
      expect(provider.written()).toBeLessThan(256 * 2 ** 20)
      expect(process.memoryUsage().rss - before).toBeLessThan(300 * 2 ** 20)
      expect(await runtime.read(tools.read!, args, new AbortController().signal)).toMatchObject({ kind: 'failed' })
    },
  )
})

describe('what is sent', () => {
  test('is the request of the tool, with the idempotency key and nothing it did not ask for', async () => {
    provider.on(path, answers(200, { ok: true }))
    await attempt(
      runtime,
      tools.make!,
      { id: 't1', amount: 12.5, currency: 'EUR', note: 'a b' },
      { idempotencyKey: 'op:x:1' },
    )
    const [received] = provider.received
    expect(received).toMatchObject({ method: 'POST', path: `${path}?note=a%20b`, body: '{"amount":12.5,"id":"t1"}' })
    expect(received!.headers).toMatchObject({
      'idempotency-key': 'op:x:1',
      'x-note': 'a b',
      'content-type': 'application/json',
    })
    expect(received!.headers).not.toHaveProperty('authorization')
  })

  test('leaves out an optional parameter that was not given', async () => {
    provider.on(path, answers(200, { ok: true }))
    await attempt(runtime, tools.make!, args)
    expect(provider.received[0]).toMatchObject({ path, body: '{"amount":null,"id":"t1"}' })
  })

  test('carries a long or strange key as its digest, the same each time', async () => {
    for (const idempotencyKey of ['x'.repeat(300), 'naïve key', 'x'.repeat(300)]) {
      await attempt(runtime, tools.make!, args, { idempotencyKey })
    }
    const keys = provider.received.map(({ headers }) => headers['idempotency-key'])
    expect(keys.every((key) => /^sha256:[0-9a-f]{64}$/.test(key!))).toBe(true)
    expect(keys[0]).toBe(keys[2])
    expect(keys[0]).not.toBe(keys[1])
  })

  test('never goes to a segment of the proposer', () => {
    for (const id of ['../admin', 'a/b', '..', 'a\\b', 'a\nb']) {
      expect(runtime.plan(tools.make!, { id }), id).toHaveProperty('problem')
    }
    expect(runtime.plan(tools.make!, { id: 'a?b#c%2F' })).toMatchObject({
      request: { target: `${provider.host}/api/things/a%3Fb%23c%252F` },
    })
  })
})

describe('a plan of an effect', () => {
  test('knows entity, value, tier and the one request', () => {
    const planned = runtime.plan(tools.make!, { id: 'a.b', amount: 250, currency: 'EUR' })
    expect(planned).toMatchObject({
      entityKey: 'thing:a%2Eb',
      value: { amount: '250', currency: 'EUR' },
      tier: 2,
      request: { method: 'POST', target: `${provider.host}/api/things/a.b` },
    })
  })

  test.each([
    { args: {}, problem: 'lacks `id`' },
    { args: { id: 1 }, problem: 'must be string' },
    { args: { id: 'x', extra: 1 }, problem: 'unknown field `extra`' },
    { args: 'text', problem: 'must be object' },
  ])('refuses $args', ({ args: given, problem }) => {
    expect(runtime.plan(tools.make!, given as never)).toMatchObject({ problem: expect.stringContaining(problem) })
  })
})

describe('a read', () => {
  const read = () => runtime.read(tools.read!, args, new AbortController().signal)

  test('answers the body', async () => {
    provider.on(path, answers(200, { ok: true }))
    expect(await read()).toEqual({ kind: 'ok', body: { ok: true } })
  })

  test('follows a redirect below its own hosts, and no further', async () => {
    provider.on(path, answers(302, {}, { location: '/api/there' }))
    provider.on('/api/there', answers(200, { ok: true }))
    expect(await read()).toEqual({ kind: 'ok', body: { ok: true } })
    provider.on(path, answers(302, {}, { location: 'http://169.254.169.254/latest/meta-data/' }))
    expect(await read()).toMatchObject({ kind: 'failed', reason: expect.stringContaining('not in the connection') })
    provider.on(path, answers(302, {}, { location: path }))
    expect(await read()).toMatchObject({ kind: 'failed', reason: 'HTTP 302' })
  })

  test('is refused to an effect', async () => {
    expect(await runtime.read(tools.make!, args, new AbortController().signal)).toMatchObject({ kind: 'failed' })
  })

  test('that does not fit its schema fails', async () => {
    provider.on(path, answers(200, { ok: 'no' }))
    expect(await read()).toMatchObject({ kind: 'failed', reason: expect.stringContaining('output schema') })
  })
})
