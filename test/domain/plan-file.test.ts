import { createPublicKey, generateKeyPairSync } from 'node:crypto'
import { expect, test } from 'vitest'
import { digestBytes, digestJson } from '../../controller/domain/digest.ts'
import { engineVersion } from '../../controller/domain/engine.ts'
import { FibricError } from '../../controller/domain/errors.ts'
import { planId } from '../../controller/domain/plan.ts'
import { decodePlanFile, encodePlanFile, type SavedPlan } from '../../controller/domain/plan-file.ts'

const { privateKey } = generateKeyPairSync('ed25519')
const publicKey = createPublicKey(privateKey)
const now = Date.parse('2026-03-02T09:00:00Z')
const document = { kind: 'Parameter', metadata: { name: 'a' }, spec: { value: 'é €' } }
const content = Buffer.from('echo hello\n')
const change = {
  address: 'acme/Parameter/a',
  addressBefore: null,
  generationBefore: 0,
  digestBefore: null,
  digestAfter: digestJson(document),
}
const core = { deployment: 'dep_1', engine: engineVersion, changes: [change], readSet: [], rules: {} }
const plan = { ...core, id: planId(core as never), genesis: false, expiresAt: '2026-03-03T09:00:00.000Z', warnings: [] }
const saved = {
  plan,
  documents: { [digestJson(document)]: document },
  files: { [digestBytes(content)]: content.toString('base64') },
} as unknown as SavedPlan
const bytes = encodePlanFile(saved, { keyId: 'key_1', privateKey })

const decode = (file: Buffer, deployment = 'dep_1', at = now): SavedPlan =>
  decodePlanFile(file, 'one.plan', publicKey, deployment, at)

function codeOf(file: Buffer): string {
  try {
    decode(file)
    return 'accepted'
  } catch (error) {
    if (!(error instanceof FibricError)) throw error
    expect(error.exitCode).toBe(6)
    return error.code
  }
}

test('a file reads back as it was written, and is written the same each time', () => {
  expect(decode(bytes)).toEqual(saved)
  expect(encodePlanFile(decode(bytes), { keyId: 'key_1', privateKey }).equals(bytes)).toBe(true)
})

test('every single bit counts: none can be flipped, the signature and the name of its key included', () => {
  for (let position = 0; position < bytes.length; position++) {
    for (let bit = 0; bit < 8; bit++) {
      const changed = Buffer.from(bytes)
      changed[position]! ^= 1 << bit
      expect(['PLAN_ALTERED', 'PLAN_UNREADABLE', 'PLAN_OTHER_DEPLOYMENT'], `bit ${bit} of byte ${position}`).toContain(
        codeOf(changed),
      )
    }
  }
})

test('no byte can be left out and none put in', () => {
  for (let position = 0; position < bytes.length; position++) {
    const [head, tail] = [bytes.subarray(0, position), bytes.subarray(position)]
    expect(codeOf(Buffer.concat([head, tail.subarray(1)]))).not.toBe('accepted')
    for (const more of [' ', '\n', '0', '"', ','])
      expect(codeOf(Buffer.concat([head, Buffer.from(more), tail]))).not.toBe('accepted')
  }
})

test('a plan expires at its time, not before', () => {
  expect(() => decode(bytes, 'dep_1', Date.parse(plan.expiresAt) - 1)).not.toThrow()
  expect(() => decode(bytes, 'dep_1', Date.parse(plan.expiresAt))).toThrow(/expired at 2026-03-03/)
})
