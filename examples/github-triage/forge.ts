import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

/** What of GitHub's API this example uses, on loopback: labels, review requests, and a desk for incidents. */
export interface Forge {
  readonly port: number
  /** What was asked of it, in order: `POST /repos/o/r/issues/1/labels {"labels":["bug"]}`. */
  requests(): string[]
  close(): Promise<void>
}

export async function startForge(options: { readonly port: number; readonly token: string }): Promise<Forge> {
  const requests: string[] = []
  const server = createServer(async (request, response) => {
    const answer = (status: number, body: object): void => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
    }
    if (request.headers.authorization !== options.token) return answer(401, { message: 'Bad credentials' })
    if (request.method === 'GET') return answer(200, { requests })
    if (
      !/^\/(?:repos\/[^/]+\/[^/]+\/(?:issues\/\d+\/labels|pulls\/\d+\/requested_reviewers)|incidents)$/.test(
        request.url ?? '',
      )
    )
      return answer(404, { message: 'Not Found' })
    const chunks: Buffer[] = []
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk)
    requests.push(`${request.method} ${request.url} ${Buffer.concat(chunks).toString('utf8')}`)
    answer(201, {})
  })
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(options.port, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    requests: () => [...requests],
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

// `node forge.ts`: the service on its own, for the tutorial.
if (import.meta.main) {
  const { port } = await startForge({ port: Number(process.env.FORGE_PORT ?? 4383), token: 'Bearer token-of-the-app' })
  process.stdout.write(`The forge answers at http://127.0.0.1:${port}.\n`)
}
