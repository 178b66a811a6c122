import type { Address, Slug } from './ids.ts'

export interface AddressParts {
  readonly slug: Slug
  readonly kind: string
  /** With `@<version>` for kinds that are addressed with their version. */
  readonly name: string
}

export function formatAddress(slug: string, kind: string, name: string): Address {
  return `${slug}/${kind}/${name}` as Address
}

/** The three parts of `<slug>/<Kind>/<name>`, or null when `text` is not an address. */
export function parseAddress(text: string): AddressParts | null {
  const parts = text.split('/')
  const [slug, kind, name] = parts
  if (parts.length !== 3 || !slug || !kind || !name) return null
  return { slug: slug as Slug, kind, name }
}

export function slugOf(address: Address): Slug {
  return address.slice(0, address.indexOf('/')) as Slug
}

export function kindOf(address: Address): string {
  return address.slice(address.indexOf('/') + 1, address.lastIndexOf('/'))
}
