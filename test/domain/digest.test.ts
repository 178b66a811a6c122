import { expect, test } from 'vitest'
import { digestBytes, digestJson, isDigest } from '../../controller/domain/digest.ts'

test('a digest is SHA-256 in lower-case hexadecimal behind its name: the published vectors', () => {
  expect(digestBytes('')).toBe('sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855')
  expect(digestBytes('abc')).toBe('sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad')
  expect(digestBytes(Buffer.from('abc'))).toBe(digestBytes('abc'))
})

test('the digest of a value is that of its canonical JSON', () => {
  expect(digestJson({ b: 1, a: [true, null] })).toBe(digestBytes('{"a":[true,null],"b":1}'))
})

test.each([
  ['sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad', true],
  ['sha256:BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD', false],
  ['ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad', false],
  ['sha256:ba78', false],
  ['sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\n', false],
])('%j is a digest: %s', (text, expected) => {
  expect(isDigest(text)).toBe(expected)
})
