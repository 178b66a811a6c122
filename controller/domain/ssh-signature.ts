import { hash, verify } from 'node:crypto'
import { parseKeyBlob, type SshKeyType, type SshPublicKey } from './ssh-key.ts'
import { strictBase64, wireInteger, wireReader, wireString } from './ssh-wire.ts'

export { parsePublicKey, type SshPublicKey } from './ssh-key.ts'

export interface AllowedSigner {
  readonly user: string
  /** `ssh-ed25519 AAAA…`, one line of a `.pub` file. */
  readonly key: string
  /** First moment the key counts; null for always. */
  readonly fromMs: number | null
  /** First moment it no longer does; null for never. */
  readonly untilMs: number | null
}

export interface SshSignature {
  readonly key: SshPublicKey
  readonly namespace: string
  readonly hashAlgorithm: 'sha256' | 'sha512'
  readonly algorithm: string
  /** The signature in wire format, still to be verified. */
  readonly blob: Buffer
}

export interface SignatureQuestion {
  readonly armored: string
  readonly message: Uint8Array
  /** `git` for commits, `fibric-approval@v1` for approvals: a signature for one thing is none for another. */
  readonly namespace: string
  readonly signers: readonly AllowedSigner[]
  /** The moment a key's validity is judged at. */
  readonly atMs: number
}

export interface VerifiedSigner {
  readonly user: string
  readonly fingerprint: string
}

/** Who signed the message, of the allowed signers; null when it is none of them or anything is wrong. Never throws. */
export function verifySshSignature(question: SignatureQuestion): VerifiedSigner | null {
  const signature = parseSshSignature(question.armored)
  if (signature === null || signature.namespace !== question.namespace) return null
  const signer = question.signers.find((allowed) => isSigner(allowed, signature.key, question.atMs))
  if (signer === undefined || !isSignatureOf(signature, question.message)) return null
  return { user: signer.user, fingerprint: signature.key.fingerprint }
}

/** Reads `-----BEGIN SSH SIGNATURE-----`; null when it is malformed or of a kind that is not trusted. Never throws. */
export function parseSshSignature(armored: string): SshSignature | null {
  if (armored.length > armoredMax) return null
  const body = /^\s*-----BEGIN SSH SIGNATURE-----\r?\n([A-Za-z0-9+/=\r\n]+)-----END SSH SIGNATURE-----\s*$/.exec(
    armored,
  )
  const bytes = body === null ? null : strictBase64(body[1]!.replace(/[\r\n]/g, ''))
  if (bytes === null || !bytes.subarray(0, magic.length).equals(magic)) return null
  const wire = wireReader(bytes.subarray(magic.length))
  if (wire.uint32() !== 1) return null
  const keyBlob = wire.string()
  const namespace = wire.string()
  const reserved = wire.string()
  const hashAlgorithm = wire.string()?.toString('latin1')
  const blob = wire.string()
  if (keyBlob === null || namespace === null || reserved === null || blob === null || !wire.atEnd()) return null
  // Reserved bytes are signed too; what they may mean one day is not known here.
  if (reserved.length > 0 || (hashAlgorithm !== 'sha256' && hashAlgorithm !== 'sha512')) return null
  const key = parseKeyBlob(keyBlob)
  const algorithm = wireReader(blob).string()?.toString('latin1')
  if (key === null || algorithm === undefined || !Object.hasOwn(algorithms[key.type], algorithm)) return null
  return { key, namespace: namespace.toString('utf8'), hashAlgorithm, algorithm, blob }
}

/** Whether the key inside the signature made it over this message; says nothing about whose key it is. */
export function isSignatureOf(signature: SshSignature, message: Uint8Array): boolean {
  const { key, namespace, hashAlgorithm, algorithm, blob } = signature
  const signed = Buffer.concat([
    magic,
    wireString(namespace),
    wireString(''),
    wireString(hashAlgorithm),
    wireString(hash(hashAlgorithm, message, 'buffer')),
  ])
  const digest = algorithms[key.type][algorithm]
  const wire = wireReader(blob)
  wire.string()
  const value = wire.string()
  if (digest === undefined || value === null) return false
  if (key.type === 'sk-ssh-ed25519@openssh.com')
    return isSecurityKeySignature(key, value, wire.byte(), wire.uint32(), signed)
  if (!wire.atEnd()) return false
  if (key.type === 'ssh-ed25519') return isValid(null, signed, key, value)
  if (key.type === 'ssh-rsa') return isValid(digest, signed, key, leftPadded(value, modulusBytes(key)))
  const point = ecdsaValue(value, key.type === 'ecdsa-sha2-nistp256' ? 32 : 48)
  return point !== null && isValid(digest, signed, key, point)
}

/**
 * Splits a raw commit object into what was signed and the signature (SSH or PGP, as written); the signature is null when
 * there is none or more than one. Source: git's commit.c, `parse_signed_commit`.
 */
export function signedCommit(raw: Buffer): { readonly payload: Buffer; readonly signature: string | null } {
  const end = raw.indexOf('\n\n')
  const header = raw.toString('latin1', 0, end < 0 ? raw.length : end)
  const signatures: string[] = []
  const kept: string[] = []
  let inSignature: 'no' | 'kept' | 'dropped' = 'no'
  for (const line of header.split('\n')) {
    if (!line.startsWith(' ')) {
      // The one over the other hash function is outside what this one covers.
      inSignature = line.startsWith('gpgsig ') ? 'kept' : line.startsWith('gpgsig-sha256 ') ? 'dropped' : 'no'
      if (inSignature === 'kept') signatures.push(line.slice('gpgsig '.length))
    } else if (inSignature === 'kept') signatures.push(`${signatures.pop()}\n${line.slice(1)}`)
    if (inSignature === 'no') kept.push(line)
  }
  const rest = end < 0 ? Buffer.alloc(0) : raw.subarray(end)
  const payload = Buffer.concat([Buffer.from(kept.join('\n'), 'latin1'), rest])
  return { payload, signature: signatures.length === 1 ? signatures[0]! : null }
}

const magic = Buffer.from('SSHSIG')
const armoredMax = 64 * 1024

/** The signature algorithms each key type may be used with, and their digest; `ssh-rsa` alone would be SHA-1. */
const algorithms: { readonly [type in SshKeyType]: { readonly [algorithm: string]: string } } = {
  'ssh-ed25519': { 'ssh-ed25519': 'sha512' },
  'sk-ssh-ed25519@openssh.com': { 'sk-ssh-ed25519@openssh.com': 'sha512' },
  'ecdsa-sha2-nistp256': { 'ecdsa-sha2-nistp256': 'sha256' },
  'ecdsa-sha2-nistp384': { 'ecdsa-sha2-nistp384': 'sha384' },
  'ssh-rsa': { 'rsa-sha2-256': 'sha256', 'rsa-sha2-512': 'sha512' },
}

function isSigner(allowed: AllowedSigner, key: SshPublicKey, atMs: number): boolean {
  if (allowed.fromMs !== null && atMs < allowed.fromMs) return false
  if (allowed.untilMs !== null && atMs >= allowed.untilMs) return false
  // The key in the signature has been checked; bytes equal to it need no check of their own, a thousand times a walk.
  const [name, encoded] = allowed.key.trim().split(/[ \t]+/)
  return name === key.type && encoded !== undefined && (strictBase64(encoded)?.equals(key.blob) ?? false)
}

function isValid(digest: string | null, signed: Buffer, { key }: SshPublicKey, signature: Buffer): boolean {
  try {
    return verify(digest, signed, { key, dsaEncoding: 'ieee-p1363' }, signature)
  } catch {
    // OpenSSL throws at some malformed signatures and answers false to others; both mean no.
    return false
  }
}

/** A security key signs digests and says whether somebody touched it; without a touch nobody approved anything. */
function isSecurityKeySignature(
  key: SshPublicKey,
  signature: Buffer,
  flags: number | null,
  counter: number | null,
  signed: Buffer,
): boolean {
  const userPresent = 1
  if (flags === null || counter === null || (flags & userPresent) === 0) return false
  const proof = Buffer.alloc(5)
  proof.writeUInt8(flags, 0)
  proof.writeUInt32BE(counter, 1)
  const digests = [hash('sha256', key.application ?? '', 'buffer'), proof, hash('sha256', signed, 'buffer')]
  return isValid(null, Buffer.concat(digests), key, signature)
}

/** OpenSSH drops leading zeros of an RSA signature now and then; OpenSSL wants all of them. */
function leftPadded(value: Buffer, size: number): Buffer {
  return value.length >= size ? value : Buffer.concat([Buffer.alloc(size - value.length), value])
}

function modulusBytes({ key }: SshPublicKey): number {
  return Math.ceil((key.asymmetricKeyDetails?.modulusLength ?? 0) / 8)
}

function ecdsaValue(value: Buffer, size: number): Buffer | null {
  const wire = wireReader(value)
  const parts = [wire.string(), wire.string()].map((part) => (part === null ? null : wireInteger(part)))
  if (!wire.atEnd() || parts.some((part) => part === null || part.length > size)) return null
  return Buffer.concat(parts.map((part) => leftPadded(part!, size)))
}
