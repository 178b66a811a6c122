import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto'
import { link, open, readFile, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { FibricError } from '../domain/errors.ts'

/** What `seal` and `openSealed` take: the root, or a key that is itself sealed under it. */
export interface SealingKey {
  /** Public, kept in clear beside what the key sealed. 16 hexadecimal digits. */
  readonly id: string
  readonly sealingBytes: Uint8Array
}

/** The secret a deployment stands on. It leaves this file only through what is derived from it. */
export interface RootKey extends SealingKey {
  /** 32 bytes for one purpose (HKDF-SHA256): knowing one tells nothing about another. */
  deriveSecret(purpose: string): Buffer
}

export interface RootKeySettings {
  readonly dataDirectory: string
  /** FIBRIC_ROOT_KEY: 32 bytes as base64 or hexadecimal, instead of the file. */
  readonly keyText: string | null
}

export interface RootKeySource {
  /** The key that is there, or null. */
  load(): Promise<RootKey | null>
  /** The key that is there, else a new one: only for a database that holds nothing sealed. */
  loadOrCreate(): Promise<RootKey>
}

export const rootKeyFileName = 'root.key'
const keySizeBytes = 32

export function rootKeySource(settings: RootKeySettings): RootKeySource {
  const file = join(settings.dataDirectory, rootKeyFileName)
  const load = async () => {
    if (settings.keyText !== null) return rootKeyOf(decodeKey(settings.keyText, 'FIBRIC_ROOT_KEY'))
    const text = await readPrivate(file)
    return text === null ? null : rootKeyOf(decodeKey(text, `\`${file}\``))
  }
  return {
    load,
    loadOrCreate: async () => {
      const present = await load()
      if (present !== null) return present
      await createKeyFile(file)
      return (await load())! // the one just made, or that of a process which was faster
    },
  }
}

export function rootKeyOf(bytes: Uint8Array): RootKey {
  if (bytes.length !== keySizeBytes) throw invalidKey('the root key')
  const deriveSecret = (purpose: string) =>
    Buffer.from(hkdfSync('sha256', bytes, 'fibric root key', purpose, keySizeBytes))
  return { id: deriveSecret('key id').subarray(0, 8).toString('hex'), sealingBytes: deriveSecret('seal'), deriveSecret }
}

const formatVersion = 1
const keyIdSizeBytes = 8
const nonceSizeBytes = 12
const tagSizeBytes = 16
const headerSizeBytes = 1 + keyIdSizeBytes

/**
 * AES-256-GCM: format version (1 byte), key id (8), random nonce (12), ciphertext, tag (16).
 *
 * `context` names what is sealed, unambiguously (tenant, credential, field, version …): it is authenticated with the header, so that
 * sealed bytes moved to another row do not open there.
 */
export function seal(key: SealingKey, plaintext: Uint8Array, context: string): Buffer {
  const header = Buffer.concat([Buffer.of(formatVersion), Buffer.from(key.id, 'hex')])
  const nonce = randomBytes(nonceSizeBytes)
  const cipher = createCipheriv('aes-256-gcm', key.sealingBytes, nonce).setAAD(authenticated(header, context))
  return Buffer.concat([header, nonce, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()])
}

export function openSealed(key: SealingKey, sealed: Uint8Array, context: string): Buffer {
  const bytes = Buffer.from(sealed)
  const keyId = sealedKeyId(bytes)
  if (keyId !== key.id) {
    throw new FibricError('ROOT_KEY_INVALID', `sealed under key ${keyId}, and the key given is ${key.id}`)
  }
  const header = bytes.subarray(0, headerSizeBytes)
  const nonce = bytes.subarray(headerSizeBytes, headerSizeBytes + nonceSizeBytes)
  const decipher = createDecipheriv('aes-256-gcm', key.sealingBytes, nonce, { authTagLength: tagSizeBytes })
    .setAAD(authenticated(header, context))
    .setAuthTag(bytes.subarray(-tagSizeBytes))
  try {
    const ciphertext = bytes.subarray(headerSizeBytes + nonceSizeBytes, -tagSizeBytes)
    return Buffer.concat([decipher.update(ciphertext), decipher.final()])
  } catch (cause) {
    throw new FibricError(
      'ROOT_KEY_INVALID',
      `sealed bytes under key ${keyId} do not open: they were altered or moved`,
      {
        cause,
      },
    )
  }
}

/** Which key sealed these bytes. */
export function sealedKeyId(sealed: Uint8Array): string {
  const sizeBytesMin = headerSizeBytes + nonceSizeBytes + tagSizeBytes
  if (sealed.length < sizeBytesMin || sealed[0] !== formatVersion) {
    throw new FibricError('ROOT_KEY_INVALID', 'sealed bytes have no format this version reads')
  }
  return Buffer.from(sealed.subarray(1, headerSizeBytes)).toString('hex')
}

function authenticated(header: Uint8Array, context: string): Buffer {
  return Buffer.concat([header, Buffer.from(context, 'utf8')])
}

function decodeKey(text: string, origin: string): Buffer {
  const trimmed = text.trim()
  if (/^[0-9a-fA-F]{64}$/.test(trimmed)) return Buffer.from(trimmed, 'hex')
  if (/^[A-Za-z0-9+/_-]{43}=?$/.test(trimmed)) return Buffer.from(trimmed, 'base64')
  throw invalidKey(origin)
}

function invalidKey(origin: string): FibricError {
  return new FibricError('ROOT_KEY_INVALID', `${origin} is not 32 bytes in base64 or hexadecimal`, {
    hint: 'restore the key this database was made with',
  })
}

async function readPrivate(file: string): Promise<string | null> {
  try {
    const { mode } = await stat(file)
    if ((mode & 0o077) !== 0) {
      throw new FibricError('ROOT_KEY_INVALID', `\`${file}\` can be read by other users`, { hint: `chmod 600 ${file}` })
    }
    return await readFile(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    if (error instanceof FibricError) throw error
    throw new FibricError('ROOT_KEY_INVALID', `\`${file}\` cannot be read`, { hint: 'check who owns it', cause: error })
  }
}

/** Written whole under another name, then linked: a reader finds all of it or none, and the first writer's stands. */
async function createKeyFile(file: string): Promise<void> {
  const temporary = `${file}.${process.pid}-${randomBytes(4).toString('hex')}`
  try {
    const handle = await open(temporary, 'wx', 0o600)
    try {
      await handle.writeFile(`${randomBytes(keySizeBytes).toString('base64')}\n`)
      const folder = await stat(dirname(file))
      if (process.getuid?.() === 0 && folder.uid !== 0) await handle.chown(folder.uid, folder.gid)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await link(temporary, file)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') {
      throw new FibricError('DATA_DIRECTORY', `\`${file}\` cannot be written`, { cause: error })
    }
  } finally {
    await rm(temporary, { force: true })
  }
}
