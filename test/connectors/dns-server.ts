import { createSocket } from 'node:dgram'
import { Resolver as DnsResolver } from 'node:dns/promises'
import type { AddressInfo } from 'node:net'
import type { Resolver } from '../../controller/connectors/egress/destination.ts'

/** A name server on loopback whose answers a test decides, question by question, and a resolver that asks it. */
export interface NameServer {
  readonly resolve: Resolver
  /** Names asked for, in order. */
  readonly asked: string[]
  answer(name: string, ...addresses: readonly (readonly string[])[]): void
  close(): void
}

/** Each question for a name takes the next of its answers; the last one stays. */
export async function nameServer(): Promise<NameServer> {
  const answers = new Map<string, string[][]>()
  const asked: string[] = []
  const socket = createSocket('udp4')
  socket.on('message', (question, peer) => {
    const { name, end } = nameAt(question, 12)
    asked.push(name)
    const known = answers.get(name) ?? []
    const addresses = (known.length > 1 ? known.shift() : known[0]) ?? []
    socket.send(reply(question, end, addresses), peer.port, peer.address)
  })
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve))
  const resolver = new DnsResolver({ timeout: 2000, tries: 1 })
  resolver.setServers([`127.0.0.1:${(socket.address() as AddressInfo).port}`])
  return {
    asked,
    resolve: async (name) => (await resolver.resolve4(name)).map((address) => ({ address, family: 4 as const })),
    answer: (name, ...addresses) =>
      void answers.set(
        name,
        addresses.map((each) => [...each]),
      ),
    close: () => socket.close(),
  }
}

function nameAt(message: Buffer, start: number): { name: string; end: number } {
  const labels: string[] = []
  let at = start
  for (let length = message[at]!; length > 0; length = message[at]!) {
    labels.push(message.toString('latin1', at + 1, at + 1 + length))
    at += length + 1
  }
  return { name: labels.join('.'), end: at + 5 }
}

/** RFC 1035, section 4: the question again, and one A record an address, alive for no time at all. */
function reply(question: Buffer, end: number, addresses: readonly string[]): Buffer {
  const head = Buffer.from(question.subarray(0, 12))
  head.writeUInt16BE(addresses.length === 0 ? 0x8183 : 0x8180, 2) // no such name, or no error
  head.writeUInt16BE(addresses.length, 6)
  head.writeUInt32BE(0, 8)
  const records = addresses.map((address) =>
    Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, ...address.split('.').map(Number)]),
  )
  return Buffer.concat([head, question.subarray(12, end), ...records])
}
