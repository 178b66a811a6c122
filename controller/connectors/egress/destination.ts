import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import { isReachable } from './address.ts'

export interface ResolvedAddress {
  readonly address: string
  readonly family: 4 | 6
}

/** Every address of a host name; throws when there is none. Asked once a request. */
export type Resolver = (hostname: string) => Promise<readonly ResolvedAddress[]>

export const systemResolver: Resolver = async (hostname) =>
  (await lookup(hostname, { all: true })).map(({ address, family }) => ({ address, family: family as 4 | 6 }))

/** Where one request goes: parsed once, and the addresses its host has now, all of them allowed. */
export interface Destination {
  readonly url: URL
  readonly addresses: readonly ResolvedAddress[]
}

export type Refusal =
  | { readonly kind: 'refused'; readonly reason: string }
  | { readonly kind: 'unresolved'; readonly reason: string }

export interface AllowList {
  /** Hosts with a port where it is not the scheme's, in lower case. */
  readonly hosts: readonly string[]
  /** Address ranges beyond the public internet, from the applied Deployment. */
  readonly allowPrivate: readonly string[]
}

/**
 * Parses a URL, holds its host against the allow-list, and its addresses against the ranges that nobody may reach. The
 * addresses in the answer are the only ones the request may connect to: a name that resolves otherwise a moment later
 * changes nothing. One forbidden address among several refuses them all.
 */
export async function settleDestination(
  text: string,
  allowed: AllowList,
  resolve: Resolver,
): Promise<Destination | Refusal> {
  const url = settleUrl(text, allowed.hosts)
  if ('kind' in url) return url
  const hostname = url.hostname.replace(/^\[|\]$/g, '')
  const addresses = await addressesOf(hostname, resolve)
  if ('kind' in addresses) return addresses
  const closed = addresses.find(({ address }) => !isReachable(address, allowed.allowPrivate))
  if (closed) {
    const via = closed.address === hostname ? '' : `, an address of \`${hostname}\`,`
    return refused(
      `\`${closed.address}\`${via} is not public, and the Deployment's egress.allowPrivate does not name it`,
    )
  }
  return { url, addresses }
}

/** What can be said of a destination without asking anybody: its URL, held against the allow-list. */
export function settleUrl(text: string, hosts: AllowList['hosts']): URL | (Refusal & { readonly kind: 'refused' }) {
  const url = URL.parse(text)
  if (url === null) return refused('the URL cannot be read')
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return refused(`\`${url.protocol}\` is not http`)
  if (url.username !== '' || url.password !== '') return refused('the URL holds a user name or password')
  if (!hosts.includes(url.host)) return refused(`the host \`${url.host}\` is not in the connection's egress`)
  return url
}

/** The host of a URL as an allow-list holds it: lower case, the port only where it is not the scheme's. */
export function hostOf(url: string): string | null {
  return URL.parse(url)?.host ?? null
}

async function addressesOf(hostname: string, resolve: Resolver): Promise<readonly ResolvedAddress[] | Refusal> {
  const family = isIP(hostname)
  if (family === 4 || family === 6) return [{ address: hostname, family }]
  try {
    const addresses = await resolve(hostname)
    return addresses.length > 0 ? addresses : { kind: 'unresolved', reason: `\`${hostname}\` has no address` }
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown'
    return { kind: 'unresolved', reason: `\`${hostname}\` cannot be resolved (${code})` }
  }
}

function refused(reason: string): Refusal & { readonly kind: 'refused' } {
  return { kind: 'refused', reason }
}
