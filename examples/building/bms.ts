import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A building's control system: zones, what they are set to, and who is in them. It believes everything. */
export interface Bms {
  readonly port: number
  /** What each zone is set to. */
  setpoints(): { readonly [zone: string]: number }
  /** Every change that was made: `3-01 20.75`. */
  changes(): string[]
  close(): Promise<void>
}

export async function startBms(options: { readonly port: number; readonly apiKey: string }): Promise<Bms> {
  const zones = new Map(['3-01', '3-02', '3-03', 'server-room'].map((zone) => [zone, 22]))
  const changes: string[] = []
  const server = createServer(async (request, response) => {
    const answer = (status: number, body: object): void => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
    }
    if (request.headers['x-api-key'] !== options.apiKey) return answer(401, { error: 'the API key is unknown' })
    const [, noun, zone = '', verb] = (request.url ?? '').split('/')
    if (request.method === 'GET' && noun === '') return answer(200, Object.fromEntries(zones))
    const setpoint = zones.get(zone)
    if (noun !== 'zones' || setpoint === undefined) return answer(404, { error: 'there is no such zone' })
    if (request.method === 'GET') return answer(200, { zone, setpoint, occupied: true })
    if (request.method !== 'PUT' || verb !== 'setpoint') return answer(404, { error: 'nothing here' })
    const chunks: Buffer[] = []
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk)
    const { celsius } = JSON.parse(Buffer.concat(chunks).toString('utf8')) as { celsius: number }
    zones.set(zone, celsius)
    changes.push(`${zone} ${celsius}`)
    answer(200, { zone, setpoint: celsius })
  })
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(options.port, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    setpoints: () => Object.fromEntries(zones),
    changes: () => [...changes],
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

// `node bms.ts`: the building on its own, for the tutorial.
if (import.meta.main) {
  const { port } = await startBms({ port: Number(process.env.BMS_PORT ?? 4384), apiKey: 'key-of-the-building' })
  process.stdout.write(`The building answers at http://127.0.0.1:${port}.\n`)
}
