import { execFileSync } from 'node:child_process'
import { generateKeyPairSync, hash, type KeyObject, sign } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  type AllowedSigner,
  parsePublicKey,
  parseSshSignature,
  signedCommit,
  verifySshSignature,
} from '../../controller/domain/ssh-signature.ts'
import { wireString } from '../../controller/domain/ssh-wire.ts'
import { gitRepository, hasProgram, sshKey } from '../support/git-repository.ts'

const message = Buffer.from('tenants/acme: raise the refund limit\n')
const namespace = 'fibric-approval@v1'

let folder: string

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'fibric-ssh-'))
})

afterAll(() => rmSync(folder, { recursive: true, force: true }))

function signer(key: string, fromMs: number | null = null, untilMs: number | null = null): AllowedSigner {
  return { user: 'alice', key, fromMs, untilMs }
}

function verified(armored: string, key: string, changes: object = {}): string | null {
  const question = { armored, message, namespace, signers: [signer(key)], atMs: 0, ...changes }
  return verifySshSignature(question)?.user ?? null
}

const skipped = hasProgram('ssh-keygen') ? '' : ' (skipped: there is no ssh-keygen on this machine)'

describe.skipIf(skipped !== '')(`signatures made by ssh-keygen${skipped}`, () => {
  function signWith(file: string, options: readonly string[] = []): string {
    const target = join(folder, 'message')
    writeFileSync(target, message)
    rmSync(`${target}.sig`, { force: true })
    execFileSync('ssh-keygen', ['-Y', 'sign', '-q', '-f', file, '-n', namespace, ...options, target], { stdio: 'pipe' })
    return readFileSync(`${target}.sig`, 'utf8')
  }

  test.each([
    { name: 'ed25519', type: 'ed25519', bits: undefined },
    { name: 'ecdsa-p256', type: 'ecdsa', bits: 256 },
    { name: 'ecdsa-p384', type: 'ecdsa', bits: 384 },
    { name: 'rsa-2048', type: 'rsa', bits: 2048 },
    { name: 'rsa-3072', type: 'rsa', bits: 3072 },
  ])('of $name verify, under both hashes, many times', ({ name, type, bits }) => {
    const { file, publicKey } = sshKey(folder, name, type, bits)
    for (const hashalg of ['sha256', 'sha512', 'sha512', 'sha512', 'sha512']) {
      const armored = signWith(file, ['-O', `hashalg=${hashalg}`])
      expect(parseSshSignature(armored)?.hashAlgorithm).toBe(hashalg)
      expect(verified(armored, publicKey)).toBe('alice')
      expect(verified(armored.replaceAll('\n', '\r\n'), publicKey)).toBe('alice')
      expect(verified(armored, publicKey, { message: Buffer.from('another') })).toBeNull()
      expect(verified(armored, publicKey, { namespace: 'git' })).toBeNull()
    }
    const printed = execFileSync('ssh-keygen', ['-l', '-f', `${file}.pub`], { encoding: 'utf8' })
    expect(printed.split(' ')[1]).toBe(parsePublicKey(publicKey)?.fingerprint)
    expect(parsePublicKey(publicKey)?.comment).toBe(`${name}@example.com`)
  })

  test('of keys that are too short or of another type are refused', () => {
    const short = sshKey(folder, 'rsa-1024', 'rsa', 1024)
    const large = sshKey(folder, 'ecdsa-521', 'ecdsa', 521)
    for (const { file, publicKey } of [short, large]) {
      expect(parsePublicKey(publicKey)).toBeNull()
      expect(verified(signWith(file), publicKey)).toBeNull()
    }
  })

  test('of somebody else are refused, and count only while the key does', () => {
    const ours = sshKey(folder, 'ours')
    const theirs = sshKey(folder, 'theirs')
    const armored = signWith(ours.file)
    const at = (atMs: number, fromMs: number | null, untilMs: number | null) =>
      verified(armored, '', { atMs, signers: [signer(theirs.publicKey), signer(ours.publicKey, fromMs, untilMs)] })
    expect(verified(armored, theirs.publicKey)).toBeNull()
    expect(verified(armored, ours.publicKey, { signers: [] })).toBeNull()
    expect([at(9, 10, 20), at(10, 10, 20), at(19, 10, 20), at(20, 10, 20)]).toEqual([null, 'alice', 'alice', null])
  })

  test('on commits made by git verify over the commit without its signature', () => {
    const { file, publicKey } = sshKey(folder, 'commits')
    const repository = gitRepository()
    try {
      repository.commit({
        files: { 'fibric.yaml': 'x' },
        signedWith: file,
        message: 'signed: ünïcode\n\ngpgsig in the text',
      })
      const raw = execFileSync('git', ['cat-file', 'commit', 'HEAD'], { cwd: repository.directory })
      const { payload, signature } = signedCommit(raw)
      expect(verified(signature!, publicKey, { message: payload, namespace: 'git' })).toBe('alice')
      expect(verified(signature!, publicKey, { message: payload })).toBeNull()
      const forged = Buffer.from(payload.toString('latin1').replace('Alice', 'Carol'), 'latin1')
      expect(verified(signature!, publicKey, { message: forged, namespace: 'git' })).toBeNull()
    } finally {
      repository.remove()
    }
  })

  test('never verify after any one byte was changed', () => {
    const { file, publicKey } = sshKey(folder, 'flips')
    const armored = signWith(file)
    const body = armored.split('\n').slice(1, -2).join('')
    const bytes = Buffer.from(body, 'base64')
    for (let at = 0; at < bytes.length; at++) {
      const changed = Buffer.from(bytes)
      changed[at]! ^= 1 << (at % 8)
      expect(verified(armor(changed), publicKey)).toBeNull()
    }
    for (let length = 0; length < bytes.length; length++) {
      expect(verified(armor(bytes.subarray(0, length)), publicKey)).toBeNull()
    }
    expect(verified(armor(Buffer.concat([bytes, Buffer.from([0])])), publicKey)).toBeNull()
    expect(verified(armor(bytes), publicKey)).toBe('alice')
  })
})

describe('signatures made by a security key', () => {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  const type = 'sk-ssh-ed25519@openssh.com'

  test('verify when somebody touched it', () => {
    expect(verified(securityKeySignature(1), line())).toBe('alice')
    expect(verified(securityKeySignature(5), line())).toBe('alice')
  })

  test('are refused without a touch, for another message, and for another application', () => {
    expect(verified(securityKeySignature(0), line())).toBeNull()
    expect(verified(securityKeySignature(1), line(), { message: Buffer.from('x') })).toBeNull()
    expect(verified(securityKeySignature(1, 'ssh:other'), line('ssh:other'))).toBe('alice')
    expect(verified(securityKeySignature(1, 'ssh:other'), line())).toBeNull()
  })

  function blob(application = 'ssh:'): Buffer {
    return Buffer.concat([wireString(type), wireString(rawKey(publicKey)), wireString(application)])
  }

  function line(application?: string): string {
    return `${type} ${blob(application).toString('base64')} alice@example.com`
  }

  function securityKeySignature(flags: number, application = 'ssh:'): string {
    const proof = Buffer.from([flags, 0, 0, 0, 7])
    const digests = [hash('sha256', application, 'buffer'), proof, hash('sha256', toSign(), 'buffer')]
    const signature = sign(null, Buffer.concat(digests), privateKey)
    return armor(envelope(blob(application), Buffer.concat([wireString(type), wireString(signature), proof])))
  }
})

describe('hostile input', () => {
  test('never throws, whatever the text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.uint8Array(), (text, bytes) => {
        const key = `ssh-ed25519 ${Buffer.from(bytes).toString('base64')}`
        expect(parsePublicKey(text)).toBeNull()
        expect(parsePublicKey(key)).toBeNull()
        expect(verified(text, text)).toBeNull()
        expect(verified(armor(Buffer.from(bytes)), key)).toBeNull()
        signedCommit(Buffer.from(bytes))
        signedCommit(Buffer.from(text))
      }),
    )
  })

  test('never throws, whatever the fields of a well-formed envelope', () => {
    const types = [
      'ssh-ed25519',
      'ssh-rsa',
      'ecdsa-sha2-nistp256',
      'sk-ssh-ed25519@openssh.com',
      'ssh-dss',
      '__proto__',
    ]
    const algorithms = [...types, 'rsa-sha2-256', 'rsa-sha2-512', 'constructor', 'toString']
    const fields = fc.array(
      fc.oneof(
        fc.uint8Array({ maxLength: 300 }),
        fc.constant(Buffer.from('nistp256')),
        fc.constant(Buffer.from([1, 0, 1])),
        fc.constant(Buffer.concat([Buffer.from([4]), Buffer.alloc(64, 7)])),
        fc.constant(Buffer.alloc(32)),
        fc.constant(Buffer.concat([Buffer.alloc(1), Buffer.alloc(256, 255)])),
      ),
      { maxLength: 3 },
    )
    fc.assert(
      fc.property(
        fc.constantFrom(...types),
        fields,
        fc.constantFrom(...algorithms),
        fields,
        (type, key, algorithm, parts) => {
          const keyBlob = Buffer.concat([wireString(type), ...key.map(wireString)])
          const blob = Buffer.concat([wireString(algorithm), ...parts.map(wireString)])
          expect(verified(armor(envelope(keyBlob, blob)), `${type} ${keyBlob.toString('base64')}`)).toBeNull()
        },
      ),
      { numRuns: 500 },
    )
  })

  test.each([
    { name: 'nothing', line: '' },
    { name: 'a name alone', line: 'ssh-ed25519' },
    { name: 'a certificate', line: `ssh-ed25519-cert-v01@openssh.com ${ed25519Blob().toString('base64')}` },
    { name: 'a name that is not the key’s', line: `ssh-rsa ${ed25519Blob().toString('base64')}` },
    {
      name: 'trailing bytes',
      line: `ssh-ed25519 ${Buffer.concat([ed25519Blob(), Buffer.from('x')]).toString('base64')}`,
    },
    { name: 'options before the key', line: `no-pty ssh-ed25519 ${ed25519Blob().toString('base64')}` },
    { name: 'characters Node would skip in base64', line: `ssh-ed25519 ${ed25519Blob().toString('base64')}*` },
    { name: 'a point off the curve', line: offCurve() },
    { name: 'an RSA exponent of one', line: rsaLine(Buffer.from([1])) },
    { name: 'an even RSA exponent', line: rsaLine(Buffer.from([4])) },
    { name: 'a megabyte', line: `ssh-ed25519 ${'A'.repeat(1 << 20)}` },
  ])('is no key: $name', ({ line }) => {
    expect(parsePublicKey(line)).toBeNull()
  })
})

describe('a raw commit', () => {
  const header = 'tree 0\nauthor A <a@example.com> 0 +0000\ncommitter A <a@example.com> 0 +0000\n'

  test('without a signature is its own payload', () => {
    const raw = Buffer.from(`${header}\nmessage\n`)
    expect(signedCommit(raw)).toEqual({ payload: raw, signature: null })
  })

  test('keeps signatures of merged tags and text that looks like a header in the payload', () => {
    const tag = 'mergetag object 0\n type commit\n gpgsig x\n'
    const raw = Buffer.from(
      `${header}${tag}gpgsig one\n two\n \n three\ngpgsig-sha256 a\n b\nencoding x\n\ngpgsig no\n y\n`,
    )
    const { payload, signature } = signedCommit(raw)
    expect(signature).toBe('one\ntwo\n\nthree')
    expect(payload.toString()).toBe(`${header}${tag}encoding x\n\ngpgsig no\n y\n`)
  })

  test('with two signatures has none: it is not for us to choose', () => {
    expect(signedCommit(Buffer.from(`${header}gpgsig one\ngpgsig two\n\nmessage\n`)).signature).toBeNull()
  })
})

function toSign(): Buffer {
  const digest = hash('sha512', message, 'buffer')
  return Buffer.concat([Buffer.from('SSHSIG'), ...[namespace, '', 'sha512', digest].map(wireString)])
}

function envelope(keyBlob: Buffer, signature: Buffer): Buffer {
  const fields = [keyBlob, namespace, '', 'sha512', signature].map(wireString)
  return Buffer.concat([Buffer.from('SSHSIG'), Buffer.from([0, 0, 0, 1]), ...fields])
}

function armor(bytes: Buffer): string {
  return `-----BEGIN SSH SIGNATURE-----\n${bytes.toString('base64')}\n-----END SSH SIGNATURE-----\n`
}

function rawKey(key: KeyObject): Buffer {
  return Buffer.from(key.export({ format: 'jwk' }).x!, 'base64url')
}

function ed25519Blob(): Buffer {
  return Buffer.concat([wireString('ssh-ed25519'), wireString(rawKey(generateKeyPairSync('ed25519').publicKey))])
}

function offCurve(): string {
  const point = Buffer.concat([Buffer.from([4]), Buffer.alloc(64, 7)])
  const blob = Buffer.concat(['ecdsa-sha2-nistp256', 'nistp256', point].map(wireString))
  return `ecdsa-sha2-nistp256 ${blob.toString('base64')}`
}

function rsaLine(exponent: Buffer): string {
  const modulus = Buffer.concat([Buffer.alloc(1), Buffer.alloc(256, 255)])
  return `ssh-rsa ${Buffer.concat(['ssh-rsa', exponent, modulus].map(wireString)).toString('base64')}`
}
