import { isIP } from 'node:net'

/** Whether a connection to this address may be opened: the public internet, and what the Deployment names. */
export function isReachable(address: string, allowPrivate: readonly string[]): boolean {
  const found = parseAddress(address)
  if (found === null) return false
  if (allowPrivate.some((range) => isInside(found, range))) return true
  // What is not listed as global unicast is not global: multicast, reserved, and whatever is given out later.
  if (found.bits === 128 && !isInside(found, '2000::/3')) return false
  return !(found.bits === 32 ? closedV4 : closedV6).some((range) => isInside(found, range))
}

/** IANA special-purpose registries (RFC 6890 and after), multicast and the reserved block. */
const closedV4 = [
  '0.0.0.0/8', // this network
  '10.0.0.0/8',
  '100.64.0.0/10', // carrier-grade NAT
  '127.0.0.0/8',
  '169.254.0.0/16', // link-local: where clouds keep their metadata
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.31.196.0/24',
  '192.52.193.0/24',
  '192.88.99.0/24', // 6to4 relays
  '192.168.0.0/16',
  '192.175.48.0/24',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/3', // multicast, reserved, broadcast
] as const

/** Inside 2000::/3. Mapped, compatible, translated, unique-local, link-local and multicast addresses lie outside it. */
const closedV6 = [
  '2001::/23', // protocol assignments, Teredo included
  '2001:db8::/32',
  '2002::/16', // 6to4 carries any IPv4 address
  '2620:4f:8000::/48',
  '3ffe::/16',
  '3fff::/20',
] as const

interface ParsedAddress {
  readonly bits: 32 | 128
  readonly value: bigint
}

function isInside(address: ParsedAddress, range: string): boolean {
  const [base = '', length = ''] = range.split('/')
  const parsed = parseAddress(base)
  if (parsed === null || parsed.bits !== address.bits) return false
  const shift = BigInt(address.bits - Number(length))
  return address.value >> shift === parsed.value >> shift
}

function parseAddress(text: string): ParsedAddress | null {
  switch (isIP(text)) {
    case 4:
      return { bits: 32, value: parseV4(text) }
    case 6:
      // An address with a zone means whatever the interface of that name reaches.
      return text.includes('%') ? null : { bits: 128, value: parseV6(text) }
    default:
      return null
  }
}

function parseV4(text: string): bigint {
  return text.split('.').reduce((value, octet) => (value << 8n) | BigInt(octet), 0n)
}

function parseV6(text: string): bigint {
  const [head = '', tail] = text.split('::')
  const left = groupsOf(head)
  const right = tail === undefined ? [] : groupsOf(tail)
  const zeros = tail === undefined ? [] : new Array<bigint>(8 - left.length - right.length).fill(0n)
  return [...left, ...zeros, ...right].reduce((value, group) => (value << 16n) | group, 0n)
}

/** The 16-bit groups of one side of `::`; a dotted quad at the end is two of them. */
function groupsOf(side: string): bigint[] {
  if (side === '') return []
  return side.split(':').flatMap((group) => {
    if (!group.includes('.')) return [BigInt(`0x${group}`)]
    const quad = parseV4(group)
    return [quad >> 16n, quad & 0xffffn]
  })
}
