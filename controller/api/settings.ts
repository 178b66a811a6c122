import { BlockList, isIPv4, isIPv6 } from 'node:net'
import { FibricError } from '../domain/errors.ts'

/** How the API presents itself: settled once, from the environment. */
export interface ApiSettings {
  /** The deployment's own hosts, normalised; null: loopback names and addresses. */
  readonly ownHosts: ReadonlySet<string> | null
  /** Peers whose `X-Forwarded-Host` and `X-Forwarded-For` are believed. */
  readonly trustedProxies: readonly string[]
  /** Requests a minute that all keys of one domain may make together. */
  readonly requestsPerMinute: number
  /** Requests a minute that one address may make without a known credential. */
  readonly unknownPerMinute: number
  readonly logLevel: string
}

const logLevels = ['fatal', 'error', 'warn', 'info', 'debug', 'silent']

/**
 * FIBRIC_HOSTS, FIBRIC_TRUSTED_PROXIES (addresses or networks, by comma), FIBRIC_REQUESTS_PER_MINUTE,
 * FIBRIC_UNKNOWN_PER_MINUTE, FIBRIC_LOG_LEVEL.
 */
export function settleApi(environment: NodeJS.ProcessEnv): ApiSettings {
  const hosts = listOf(environment.FIBRIC_HOSTS).map(requireHost)
  const logLevel = environment.FIBRIC_LOG_LEVEL || 'warn'
  if (!logLevels.includes(logLevel)) {
    throw new FibricError('USAGE', `FIBRIC_LOG_LEVEL is \`${logLevel}\``, { hint: `one of: ${logLevels.join(', ')}` })
  }
  return {
    ownHosts: hosts.length === 0 ? null : new Set(hosts),
    trustedProxies: listOf(environment.FIBRIC_TRUSTED_PROXIES).map(requireNetwork),
    requestsPerMinute: positive(environment, 'FIBRIC_REQUESTS_PER_MINUTE', 6000),
    unknownPerMinute: positive(environment, 'FIBRIC_UNKNOWN_PER_MINUTE', 60),
    logLevel,
  }
}

/** The name or address of a Host header: lower case, without port and final dot. Null: it is none. */
export function normalHost(header: string): string | null {
  const match = /^(\[[0-9A-Fa-f:.]+\]|[0-9A-Za-z._-]+)(?::\d{1,5})?$/.exec(header)
  if (!match) return null
  const host = match[1]!.toLowerCase().replace(/\.$/, '')
  return host === '' || host.length > 255 ? null : host
}

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '[::1]' || (isIPv4(host) && host.startsWith('127.'))
}

/** Whether an address is within the networks. */
export function networks(ranges: readonly string[]): (address: string) => boolean {
  const list = new BlockList()
  for (const range of ranges) {
    const [address = '', bits] = range.split('/')
    const family = isIPv4(address) ? 'ipv4' : 'ipv6'
    list.addSubnet(address, bits === undefined ? (family === 'ipv4' ? 32 : 128) : Number(bits), family)
  }
  return (address) => isIP(address) && list.check(address, isIPv4(address) ? 'ipv4' : 'ipv6')
}

function isIP(address: string): boolean {
  return isIPv4(address) || isIPv6(address)
}

function requireHost(text: string): string {
  const host = normalHost(text)
  if (host !== null) return host
  throw new FibricError('USAGE', `FIBRIC_HOSTS holds \`${text}\`, which is no host`, {
    hint: 'write names or addresses, by comma: FIBRIC_HOSTS=fibric.example.com',
  })
}

function requireNetwork(text: string): string {
  const [address = '', bits, more] = text.split('/')
  const bitsMax = isIPv4(address) ? 32 : 128
  const sound = bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= bitsMax)
  if (isIP(address) && sound && more === undefined) return text
  throw new FibricError('USAGE', `FIBRIC_TRUSTED_PROXIES holds \`${text}\`, which is no address or network`, {
    hint: 'write it like 10.0.0.0/8',
  })
}

function positive(environment: NodeJS.ProcessEnv, name: string, otherwise: number): number {
  const text = environment[name]
  if (!text) return otherwise
  const value = Number(text)
  if (Number.isSafeInteger(value) && value > 0) return value
  throw new FibricError('USAGE', `${name} is \`${text}\`, not a positive whole number`)
}

function listOf(text: string | undefined): string[] {
  return (text ?? '')
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '')
}
