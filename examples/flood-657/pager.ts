import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A pager: takes messages, and counts what it was asked. */
export interface Pager {
  readonly port: number
  /** Every message that went out, in order. */
  messages(): string[]
  /** Requests to send one, repetitions included. */
  requests(): number
  close(): Promise<void>
}

export async function startPager(options: { readonly port: number; readonly apiKey: string }): Promise<Pager> {
  const messages: string[] = []
  const seen = new Set<string>()
  let requests = 0
  const server = createServer(async (request, response) => {
    const answer = (status: number, body: object): void => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
    }
    if (request.headers['x-api-key'] !== options.apiKey) return answer(401, { error: 'the API key is unknown' })
    if (request.method !== 'POST' || request.url !== '/messages') return answer(200, { messages })
    const chunks: Buffer[] = []
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk)
    const { team, text } = JSON.parse(Buffer.concat(chunks).toString('utf8')) as { team: string; text: string }
    requests++
    const key = String(request.headers['idempotency-key'])
    if (!seen.has(key)) messages.push(`${team}: ${text}`)
    seen.add(key)
    answer(202, { sent: true })
  })
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(options.port, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    messages: () => [...messages],
    requests: () => requests,
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

// `node pager.ts`: the pager on its own, for the tutorial.
if (import.meta.main) {
  const { port } = await startPager({ port: Number(process.env.PAGER_PORT ?? 4382), apiKey: 'pager-key-of-plant-12' })
  process.stdout.write(`The pager answers at http://127.0.0.1:${port}.\n`)
}
