import { hash } from 'node:crypto'
import { canonicalJson } from './canonical-json.ts'
import type { Digest } from './ids.ts'
import type { Json } from './json.ts'

/** SHA-256 of bytes or of a text's UTF-8, as `sha256:<hex>`. */
export function digestBytes(bytes: Uint8Array | string): Digest {
  return `sha256:${hash('sha256', bytes, 'hex')}` as Digest
}

/** SHA-256 of a value's canonical JSON (RFC 8785). */
export function digestJson(value: Json): Digest {
  return digestBytes(canonicalJson(value))
}

export function isDigest(text: string): text is Digest {
  return /^sha256:[0-9a-f]{64}$/.test(text)
}
