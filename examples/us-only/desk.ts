import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A city's permit desk: applications are put on somebody's desk. */
export interface Desk {
  readonly port: number
  /** What lies where, in the order it was put there: `P-1 building`. */
  assigned(): string[]
  close(): Promise<void>
}

export async function startDesk(options: { readonly port: number }): Promise<Desk> {
  const assigned: string[] = []
  const seen = new Set<string>()
  const server = createServer(async (request, response) => {
    const answer = (status: number, body: object): void => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
    }
    const [, permit] = /^\/permits\/([\w-]+)\/assignment$/.exec(request.url ?? '') ?? []
    if (request.method !== 'PUT' || permit === undefined) return answer(200, { assigned })
    const chunks: Buffer[] = []
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk)
    const { desk } = JSON.parse(Buffer.concat(chunks).toString('utf8')) as { desk: string }
    const key = String(request.headers['idempotency-key'])
    if (!seen.has(key)) assigned.push(`${permit} ${desk}`)
    seen.add(key)
    answer(200, { permit, desk })
  })
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(options.port, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    assigned: () => [...assigned],
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

// `node desk.ts`: the desk on its own, for the tutorial.
if (import.meta.main) {
  const { port } = await startDesk({ port: Number(process.env.DESK_PORT ?? 4386) })
  process.stdout.write(`The permit desk answers at http://127.0.0.1:${port}.\n`)
}
