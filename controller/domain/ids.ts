declare const brand: unique symbol
type Branded<Name extends string> = string & { readonly [brand]: Name }

/** Opaque id of a domain (a tenant, or `t_platform`); minted once, never used again. */
export type TenantId = Branded<'TenantId'>
/** The name of a tenant's folder, `_platform` included. A name only: rows carry the `TenantId`. */
export type Slug = Branded<'Slug'>
/** `<slug>/<Kind>/<name>`; Connector and Template names end in `@<version>`. */
export type Address = Branded<'Address'>
/** `sha256:` and 64 hexadecimal digits. */
export type Digest = Branded<'Digest'>
export type ActionId = Branded<'ActionId'>
export type PlanId = Branded<'PlanId'>
export type ReceiptId = Branded<'ReceiptId'>

export const platformTenantId = 't_platform' as TenantId
export const platformSlug = '_platform' as Slug

const prefixes = {
  tenant: 't',
  plan: 'pl',
  action: 'act',
  receipt: 'rc',
  key: 'key',
  correlation: 'co',
  object: 'ob',
  request: 'req',
  event: 'ev',
  replay: 'rp',
  deadLetter: 'dl',
  run: 'run',
  stop: 'st',
  modelCall: 'mc',
  alert: 'al',
} as const

/**
 * An id `<prefix>_<32 lower-case hexadecimal digits>`: a UUIDv7 without its dashes, so that ids made later sort later.
 *
 * `nowMs` is epoch milliseconds; `random` is at least 10 random bytes.
 */
export function mintId(noun: keyof typeof prefixes, nowMs: number, random: Uint8Array): string {
  const bytes = new Uint8Array(16)
  const view = new DataView(bytes.buffer)
  view.setUint16(0, Math.floor(nowMs / 2 ** 32))
  view.setUint32(2, nowMs >>> 0)
  bytes.set(random.subarray(0, 10), 6)
  bytes[6] = 0x70 | (bytes[6]! & 0x0f)
  bytes[8] = 0x80 | (bytes[8]! & 0x3f)
  return `${prefixes[noun]}_${Buffer.from(bytes).toString('hex')}`
}
