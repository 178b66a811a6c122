import { createPublicKey, hash, type JsonWebKey, type KeyObject } from 'node:crypto'
import { strictBase64, type WireReader, wireInteger, wireReader } from './ssh-wire.ts'

export const sshKeyTypes = [
  'ssh-ed25519',
  'sk-ssh-ed25519@openssh.com',
  'ecdsa-sha2-nistp256',
  'ecdsa-sha2-nistp384',
  'ssh-rsa',
] as const
export type SshKeyType = (typeof sshKeyTypes)[number]

export interface SshPublicKey {
  readonly type: SshKeyType
  /** The key in wire format: what two keys are compared by. */
  readonly blob: Buffer
  /** `SHA256:` and 43 characters, as `ssh-keygen -l` prints it. */
  readonly fingerprint: string
  readonly comment: string
  readonly key: KeyObject
  /** What a security key was registered for, usually `ssh:`; null for other keys. */
  readonly application: string | null
}

/**
 * Reads one line of a `.pub` file. Null for what cannot be trusted: other types (DSA, certificates), RSA below 2048 bits,
 * points off the curve, trailing bytes, a name that is not the key's. Never throws.
 */
export function parsePublicKey(line: string): SshPublicKey | null {
  if (line.length > textMax) return null
  const [name, encoded, ...comment] = line.trim().split(/[ \t]+/)
  const blob = encoded === undefined ? null : strictBase64(encoded)
  const key = blob === null ? null : parseKeyBlob(blob)
  return key === null || key.type !== name ? null : { ...key, comment: comment.join(' ') }
}

/** `parsePublicKey` for a key in wire format, as a signature carries it. */
export function parseKeyBlob(blob: Buffer): SshPublicKey | null {
  const reader = wireReader(blob)
  const name = reader.string()?.toString('latin1')
  const type = sshKeyTypes.find((known) => known === name)
  if (type === undefined) return null
  const jwk = readers[type](reader)
  const application = type === 'sk-ssh-ed25519@openssh.com' ? (reader.string()?.toString('utf8') ?? null) : null
  if (jwk === null || !reader.atEnd() || (type.startsWith('sk-') && application === null)) return null
  const key = keyObject(jwk)
  const fingerprint = `SHA256:${hash('sha256', blob, 'base64').replace(/=+$/, '')}`
  return key === null ? null : { type, blob, fingerprint, comment: '', key, application }
}

const textMax = 16 * 1024
const rsaBits = { min: 2048, max: 8192 }

const readers: { readonly [type in SshKeyType]: (reader: WireReader) => JsonWebKey | null } = {
  'ssh-ed25519': readEd25519,
  'sk-ssh-ed25519@openssh.com': readEd25519,
  'ecdsa-sha2-nistp256': (reader) => readPoint(reader, 'nistp256', 'P-256', 32),
  'ecdsa-sha2-nistp384': (reader) => readPoint(reader, 'nistp384', 'P-384', 48),
  'ssh-rsa': readRsa,
}

function readEd25519(reader: WireReader): JsonWebKey | null {
  const x = reader.string()
  return x?.length === 32 ? { kty: 'OKP', crv: 'Ed25519', x: x.toString('base64url') } : null
}

function readPoint(reader: WireReader, curve: string, crv: string, size: number): JsonWebKey | null {
  const named = reader.string()?.toString('latin1')
  const point = reader.string()
  // 4: an uncompressed point, the only form OpenSSH writes.
  if (named !== curve || point?.length !== 1 + 2 * size || point[0] !== 4) return null
  const x = point.subarray(1, 1 + size).toString('base64url')
  return { kty: 'EC', crv, x, y: point.subarray(1 + size).toString('base64url') }
}

function readRsa(reader: WireReader): JsonWebKey | null {
  const exponent = integer(reader)
  const modulus = integer(reader)
  if (exponent === null || modulus === null || exponent.length > 4) return null
  const bits = modulus.length * 8 - Math.clz32(modulus[0] ?? 0) + 24
  if (bits < rsaBits.min || bits > rsaBits.max || (exponent.at(-1) ?? 0) % 2 === 0 || isOne(exponent)) return null
  return { kty: 'RSA', n: modulus.toString('base64url'), e: exponent.toString('base64url') }
}

function integer(reader: WireReader): Buffer | null {
  const bytes = reader.string()
  return bytes === null ? null : wireInteger(bytes)
}

function isOne(value: Buffer): boolean {
  return value.length === 1 && value[0] === 1
}

function keyObject(jwk: JsonWebKey): KeyObject | null {
  try {
    return createPublicKey({ key: jwk, format: 'jwk' })
  } catch {
    // OpenSSL refuses what is no key (a point off its curve): an answer, not a failure.
    return null
  }
}
