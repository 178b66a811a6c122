import { describe, expect, test } from 'vitest'
import type {
  ModelAnswer,
  ModelPrompt,
  ModelProvider,
  ModelTarget,
  ModelWire,
} from '../../controller/seams/model-router.ts'
import { answersHalf, type Behaviour, hangsUp, type Provider, staysSilent } from '../support/provider.ts'

/** What a suite needs of a provider that speaks over HTTP: where it asks, and what its server says in its own words. */
export interface ProviderUnderTest {
  readonly provider: ModelProvider
  readonly server: Provider
  readonly path: string
  target(more?: Partial<ModelTarget>): ModelTarget
  /** A way out that really is one, and gives up after so long. */
  wire(timeoutMs?: number): ModelWire
  /** The server's answer with this text and these tokens. */
  says(text: string, tokens: readonly [number, number] | null): Behaviour
  refuses(status: number, message: string, headers?: { [name: string]: string }): Behaviour
}

export const prompt: ModelPrompt = {
  system: 'You propose.',
  messages: [
    { role: 'user', text: '{"event":{"payload":{"id":"ü✓"}}}' },
    { role: 'assistant', text: 'no' },
    { role: 'user', text: 'again' },
  ],
  maxTokens: 77,
}

/** The promises of `ModelProvider`, for every implementation that asks somebody. */
export function describeModelProvider(name: string, under: () => ProviderUnderTest): void {
  const ask = (it: ProviderUnderTest, timeoutMs?: number): Promise<ModelAnswer> =>
    it.provider.ask(it.target(), prompt, it.wire(timeoutMs))
  const meeting = async (behaviour: Behaviour, timeoutMs?: number): Promise<ModelAnswer> => {
    const it = under()
    it.server.forget()
    it.server.on(it.path, behaviour)
    const answer = await ask(it, timeoutMs)
    expect(it.server.received.length).toBeLessThanOrEqual(1)
    return answer
  }

  describe(`the model provider ${name}`, () => {
    test('gives the text, and the tokens the provider counted', async () => {
      const answer = await meeting(under().says('{"actions": []} ü✓', [12, 3]))
      expect(answer).toMatchObject({
        kind: 'answered',
        text: '{"actions": []} ü✓',
        usage: { inputTokens: 12, outputTokens: 3 },
      })
    })

    test('says nothing about tokens where the provider says nothing', async () => {
      expect(await meeting(under().says('x', null))).toMatchObject({ kind: 'answered', usage: null })
    })

    test('asks below the endpoint it names, and nowhere else', async () => {
      const it = under()
      await meeting(it.says('x', [1, 1]))
      expect(`${it.server.url}${it.server.received[0]!.path}`.startsWith(it.provider.endpoint(it.target())!)).toBe(true)
    })

    test('sends the whole conversation, and the most tokens of an answer', async () => {
      const it = under()
      await meeting(it.says('x', [1, 1]))
      const { body } = it.server.received[0]!
      for (const text of ['You propose.', 'ü✓', 'again', '77']) expect(body).toContain(text)
    })

    test.each([
      ['turned away for now', 429, 'not-done'],
      ['broken while it answered', 500, 'unknown'],
      ['unavailable', 503, 'unknown'],
      ['timed out behind its own door', 504, 'unknown'],
      ['refused', 400, 'failed'],
      ['not let in', 403, 'failed'],
    ] as const)('tells apart what was %s (HTTP %i)', async (_what, status, kind) => {
      const answer = await meeting(under().refuses(status, 'it said so', { 'retry-after': '7' }))
      expect(answer).toMatchObject({ kind, reason: expect.stringContaining(`HTTP ${status}`) })
      expect(answer).toMatchObject({ reason: expect.stringContaining('it said so') })
      if (kind === 'not-done') expect(answer).toMatchObject({ retryAfterMs: 7000 })
    })

    test('does not know what became of half an answer', async () => {
      expect(await meeting(answersHalf)).toMatchObject({ kind: 'unknown' })
    })

    test('does not know what became of a connection that broke', async () => {
      expect(await meeting(hangsUp)).toMatchObject({ kind: 'unknown' })
    })

    test('does not know what a provider did that takes too long', async () => {
      expect(await meeting(staysSilent, 300)).toMatchObject({ kind: 'unknown' })
    })

    test('does not know what a success means that cannot be read', async () => {
      const answer = await meeting((_request, response) => {
        response.writeHead(200, { 'content-type': 'application/json' })
        response.end('<html>')
      })
      expect(answer).toMatchObject({ kind: 'unknown', reason: 'the answer cannot be read' })
    })

    test('knows that nothing happened where nothing was sent', async () => {
      const it = under()
      it.server.forget()
      const wire: ModelWire = {
        post: async () => ({ kind: 'not-sent', reason: 'no connection: ECONNREFUSED', retryAfterMs: null }),
      }
      const answer = await it.provider.ask(it.target(), prompt, wire)
      expect(answer).toEqual({ kind: 'not-done', reason: 'no connection: ECONNREFUSED', retryAfterMs: null })
      expect(it.server.received).toEqual([])
    })

    test('gives an answer that says nothing as nothing', async () => {
      expect(await meeting(under().says('', [1, 0]))).toMatchObject({ kind: 'answered', text: '' })
    })
  })
}
