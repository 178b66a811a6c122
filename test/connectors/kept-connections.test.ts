import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Keepable, KeptConnections, keptMs, restMs } from '../../controller/connectors/egress/kept-connections.ts'
import { type Connections, sendOnce, type WireRequest } from '../../controller/connectors/egress/send.ts'
import { answers, type Provider, startProvider } from '../support/provider.ts'

/** Of `KeptConnections`; real time goes on beside it. */
let nowMs = 0
let kept: Connections
let provider: Provider
/** The connection each request came over. */
let used: Socket[]

beforeEach(async () => {
  nowMs = 0
  used = []
  kept = new KeptConnections(() => nowMs)
  provider = await startProvider()
  provider.on('*', (request, response, socket) => {
    used.push(socket)
    return answers(200, { to: request.path })(request, response, socket)
  })
})
afterEach(() => provider.close())

function send(path: string, overrides: Partial<WireRequest> = {}, address = '127.0.0.1') {
  const url = new URL(path, provider.url)
  const destination = { url, addresses: [{ address, family: 4 as const }] }
  const request: WireRequest = {
    method: 'POST',
    headers: {},
    body: Buffer.from('{}'),
    tls: null,
    responseBytesMax: 1000,
    deadlineMs: performance.now() + 10_000,
    signal: null,
    sharedBy: 'acme',
    mayWrite: () => null,
    ...overrides,
  }
  return sendOnce(destination, request, kept)
}

const answerTo = (path: string) => ({ kind: 'answered', status: 200, body: Buffer.from(JSON.stringify({ to: path })) })

/** Until the connections this side closed, or was told of, are gone from those that are kept. */
async function untilKept(count: number): Promise<void> {
  while (kept.size !== count) await sleep(5)
}

describe('a connection', () => {
  test('carries the next request of its sender once it has rested, and none before', async () => {
    expect(await send('/1')).toMatchObject(answerTo('/1'))
    expect(await send('/2')).toMatchObject(answerTo('/2'))
    expect(used[1]).not.toBe(used[0])
    nowMs = restMs
    expect(await send('/3')).toMatchObject(answerTo('/3'))
    expect(used[2]).toBe(used[0])
  })

  test.each([
    { what: 'another sender', overrides: { sharedBy: 'globex' }, address: '127.0.0.1' },
    { what: 'nobody else', overrides: { sharedBy: null }, address: '127.0.0.1' },
    { what: 'another identity', overrides: { tls: { ca: 'another' } }, address: '127.0.0.1' },
    { what: 'another address of the same name', overrides: {}, address: '127.0.0.2' },
  ])('is not shared with a request that wants $what', async ({ overrides, address }) => {
    await send('/1')
    nowMs = restMs
    await send('/2', overrides, address)
    expect(used.length).toBe(2)
    expect(used[1]).not.toBe(used[0])
  })

  test('that was used once by itself is closed', async () => {
    await send('/1', { sharedBy: null })
    expect(kept.size).toBe(0)
    while (!used[0]!.destroyed) await sleep(5)
  })

  test('is let go when it was kept too long', async () => {
    await send('/1')
    nowMs = keptMs
    await send('/2')
    expect(used[1]).not.toBe(used[0])
    while (!used[0]!.destroyed) await sleep(5)
  })

  test('that the other side closes is forgotten', async () => {
    await send('/1')
    expect(kept.size).toBe(1)
    used[0]!.end()
    await untilKept(0)
    nowMs = restMs
    expect(await send('/2')).toMatchObject(answerTo('/2'))
  })

  test.each([
    { when: 'in the same write', delayMs: null },
    { when: 'a moment later', delayMs: 10 },
  ])('over which a second answer comes $when is ended: the next request gets its own', async ({ delayMs }) => {
    const lie = 'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 12\r\n\r\n{"to":"lie"}'
    provider.on('/twice', async (_request, response, socket) => {
      used.push(socket)
      response.detachSocket(socket)
      socket.write(lie + (delayMs === null ? lie : ''))
      if (delayMs === null) return
      await sleep(delayMs)
      socket.write(lie)
    })
    expect(await send('/twice')).toMatchObject({ kind: 'answered', body: Buffer.from('{"to":"lie"}') })
    await untilKept(0)
    nowMs = restMs
    expect(await send('/next')).toMatchObject(answerTo('/next'))
    expect(used[1]).not.toBe(used[0])
  })

  test('that is used again and again leaves nothing behind on itself', async () => {
    const warned: Error[] = []
    const onWarning = (warning: Error): void => void warned.push(warning)
    process.on('warning', onWarning)
    for (let index = 0; index < 12; index++) {
      await send(`/${index}`)
      nowMs += restMs
    }
    await sleep(20)
    process.off('warning', onWarning)
    expect(new Set(used).size).toBe(1)
    expect(warned).toEqual([])
  })

  test('that breaks under a request leaves a doubt: the request is not written again', async () => {
    await send('/1')
    nowMs = restMs
    provider.on('/breaks', (_request, _response, socket) => void socket.destroy())
    expect(await send('/breaks')).toMatchObject({ kind: 'broken', reason: 'reset' })
    expect(provider.received.map(({ path }) => path)).toEqual(['/1', '/breaks'])
  })

  test('that the other side wants closed, or whose answer was not whole, is not kept', async () => {
    provider.on('/close', answers(200, {}, { connection: 'close' }))
    provider.on('/large', answers(200, { text: 'x'.repeat(2000) }))
    expect(await send('/close')).toMatchObject({ kind: 'answered' })
    expect(await send('/large')).toMatchObject({ kind: 'broken', reason: 'too-large' })
    await untilKept(0)
  })
})

describe('of many connections', () => {
  const connection = (): Keepable & { ended: boolean } => ({
    ended: false,
    destroyed: false,
    once: () => {},
    off: () => {},
    async destroy() {
      this.ended = true
    },
  })

  test('no more are kept than a host can bear', () => {
    const few = new KeptConnections<ReturnType<typeof connection>>(() => nowMs)
    const all = Array.from({ length: 200 }, connection)
    for (const each of all) few.keep('one', each)
    expect(few.size).toBe(128)
    expect(all.filter(({ ended }) => ended).length).toBe(72)
  })
})
