import { expect, test } from 'vitest'
import {
  type Change,
  capabilityOf,
  changeDigest,
  idempotencyKeyOf,
  isHeal,
  verbOf,
} from '../../controller/domain/change.ts'
import type { Address, Digest } from '../../controller/domain/ids.ts'

const [one, two] = ['1', '2'].map((digit) => `sha256:${digit.repeat(64)}` as Digest) as [Digest, Digest]
const update: Change = {
  address: 'acme/TrustPolicy/a' as Address,
  addressBefore: null,
  generationBefore: 3,
  digestBefore: one,
  digestAfter: two,
}

const table: readonly (readonly [string, Partial<Change>, string, boolean, string])[] = [
  ['an update', {}, 'config.trustpolicy.update', false, `acme/TrustPolicy/a:3:${two}`],
  [
    'a creation',
    { digestBefore: null, generationBefore: 0 },
    'config.trustpolicy.create',
    false,
    `acme/TrustPolicy/a:0:${two}`,
  ],
  ['a deletion', { digestAfter: null }, 'config.trustpolicy.delete', false, 'acme/TrustPolicy/a:3:absent'],
  ['a heal', { digestAfter: one }, 'config.trustpolicy.update', true, `acme/TrustPolicy/a:3:${one}`],
  [
    'a rename alone',
    { digestAfter: one, addressBefore: 'acme/TrustPolicy/b' as Address },
    'config.trustpolicy.update',
    false,
    `acme/TrustPolicy/a:3:${one}`,
  ],
]

test.each(table)('%s has its capability and its key', (_title, part, capability, heals, key) => {
  const change = { ...update, ...part }
  expect(capabilityOf(change)).toBe(capability)
  expect(capability.endsWith(verbOf(change))).toBe(true)
  expect(isHeal(change)).toBe(heals)
  expect(idempotencyKeyOf(change)).toBe(key)
})

test('the digest of a change moves with every part of its identity, and with nothing else', () => {
  const parts: Partial<Change>[] = [
    { address: 'acme/TrustPolicy/b' as Address },
    { addressBefore: 'acme/TrustPolicy/b' as Address },
    { generationBefore: 4 },
    { digestBefore: two },
    { digestAfter: one },
    { digestAfter: null },
  ]
  const digests = new Set([update, ...parts.map((part) => ({ ...update, ...part }))].map(changeDigest))
  expect(digests.size).toBe(parts.length + 1)
  expect(changeDigest({ ...update, verdict: {}, authors: [] } as Change)).toBe(changeDigest(update))
})
