import { randomBytes } from 'node:crypto'
import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openSealed, rootKeyOf, rootKeySource, seal, sealedKeyId } from '../../controller/tenancy/root-key.ts'

let dataDirectory: string

beforeEach(async () => {
  dataDirectory = await mkdtemp(join(tmpdir(), 'fibric-root-key-'))
})

afterEach(async () => {
  await rm(dataDirectory, { recursive: true })
})

const source = (keyText: string | null = null) => rootKeySource({ dataDirectory, keyText })

describe('the root key', () => {
  test('is not there until it is made, and then stays the same', async () => {
    expect(await source().load()).toBeNull()
    const made = await source().loadOrCreate()
    expect((await source().load())?.id).toBe(made.id)
    expect((await source().loadOrCreate()).id).toBe(made.id)
    expect((await stat(join(dataDirectory, 'root.key'))).mode & 0o777).toBe(0o600)
  })

  test('is one, however many make it at once', async () => {
    const ids = await Promise.all(Array.from({ length: 10 }, async () => (await source().loadOrCreate()).id))
    expect(new Set(ids).size).toBe(1)
  })

  test('is refused when other users can read it', async () => {
    await source().loadOrCreate()
    await chmod(join(dataDirectory, 'root.key'), 0o640)
    await expect(source().load()).rejects.toMatchObject({
      code: 'ROOT_KEY_INVALID',
      hint: expect.stringContaining('chmod 600'),
    })
  })

  test.each(['', 'short', 'zz'.repeat(32), `${'A'.repeat(44)}A`])('is refused when its text is `%s`', async (text) => {
    await writeFile(join(dataDirectory, 'root.key'), text, { mode: 0o600 })
    await expect(source().loadOrCreate()).rejects.toMatchObject({ code: 'ROOT_KEY_INVALID' })
    await expect(source(text).load()).rejects.toMatchObject({ code: 'ROOT_KEY_INVALID' })
    expect(await readFile(join(dataDirectory, 'root.key'), 'utf8')).toBe(text)
  })

  test.each(['hex', 'base64', 'base64url'] as const)('is taken from the setting in %s', async (encoding) => {
    const bytes = randomBytes(32)
    expect((await source(bytes.toString(encoding)).load())?.id).toBe(rootKeyOf(bytes).id)
  })

  test('gives each purpose a secret of its own, always the same', () => {
    const bytes = randomBytes(32)
    const secret = (purpose: string) => rootKeyOf(bytes).deriveSecret(purpose).toString('hex')
    expect(secret('a')).toBe(secret('a'))
    expect(new Set([secret('a'), secret('b'), rootKeyOf(randomBytes(32)).deriveSecret('a').toString('hex')]).size).toBe(
      3,
    )
  })
})

describe('sealing', () => {
  const key = rootKeyOf(Buffer.alloc(32, 1))

  test('opens to what was sealed, and never looks the same twice', () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.string(), (plaintext, context) => {
        const sealed = seal(key, plaintext, context)
        expect(openSealed(key, sealed, context)).toEqual(Buffer.from(plaintext))
        expect(seal(key, plaintext, context).equals(sealed)).toBe(false)
        expect(sealedKeyId(sealed)).toBe(key.id)
      }),
    )
  })

  test('refuses any changed bit, a cut, and another context', () => {
    const sealed = seal(key, Buffer.from('a secret'), 'here')
    for (let bit = 0; bit < sealed.length * 8; bit++) {
      const changed = Buffer.from(sealed)
      changed[bit >> 3]! ^= 1 << (bit & 7)
      expect(() => openSealed(key, changed, 'here')).toThrow(/sealed/)
    }
    for (let size = 0; size < sealed.length; size++) {
      expect(() => openSealed(key, sealed.subarray(0, size), 'here')).toThrow(/sealed/)
    }
    expect(() => openSealed(key, sealed, 'there')).toThrow('altered or moved')
    expect(() => openSealed(rootKeyOf(Buffer.alloc(32, 2)), sealed, 'here')).toThrow(`sealed under key ${key.id}`)
  })
})
