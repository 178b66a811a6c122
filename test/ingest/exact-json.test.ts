import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseExactJson } from '../../controller/ingest/exact-json.ts'

const parse = (text: string, big?: 'string') => parseExactJson(Buffer.from(text), big)

describe('JSON as received', () => {
  test('reads what JSON.parse reads, to the same value', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 8 }), (text) => {
        expect(parse(text)).toEqual(JSON.parse(text))
      }),
    )
  })

  test('refuses what JSON.parse refuses, and only with its own code', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'{}[]:,"\\u0018e-+. tfn\n'), maxLength: 12 }), (text) => {
        let valid = true
        try {
          JSON.parse(text)
        } catch {
          valid = false
        }
        try {
          parse(text)
          expect(valid).toBe(true)
        } catch (error) {
          expect(error).toMatchObject({ code: 'INVALID_JSON' })
          // What JSON.parse takes is refused for its numbers alone.
          if (valid) expect((error as Error).message).toContain('double')
        }
      }),
      { numRuns: 2000 },
    )
  })

  test.each([
    { text: '{"a":[1,{"b":9007199254740993}]}', path: '/a/1/b' },
    { text: '{"a/b":{"~":0.1000000000000000055}}', path: '/a~1b/~0' },
    { text: '[1e400]', path: '/0' },
    { text: '[1e-400]', path: '/0' },
    { text: '12345678901234567890', path: '' },
  ])('names the place of a number that a double does not carry: $text', ({ text, path }) => {
    expect(() => parse(text)).toThrow(expect.objectContaining({ code: 'INVALID_JSON', details: { path } }))
  })

  test.each(['1.10', '0.1', '1e3', '-0', '0.0', '9007199254740992', '1E+2', '100000000000000000000'])(
    'takes %s, which a double carries',
    (text) => {
      expect(parse(text)).toBe(Number(text))
    },
  )

  test('keeps big numbers as their digits where the event asks for it', () => {
    expect(parse('{"id":9007199254740993,"n":1.5}', 'string')).toEqual({ id: '9007199254740993', n: 1.5 })
  })

  test('has a bottom: nesting without end is refused, and a long text is no trouble', () => {
    expect(() => parse('['.repeat(1_000_000))).toThrow(expect.objectContaining({ code: 'INVALID_JSON' }))
    expect(parse(`"${'x'.repeat(1_000_000)}"`)).toHaveLength(1_000_000)
    expect(parse(`"${'\\u0041'.repeat(100_000)}"`)).toHaveLength(100_000)
  })

  test('refuses bytes that are not UTF-8', () => {
    expect(() => parseExactJson(Buffer.from([0x22, 0xff, 0x22]))).toThrow(
      expect.objectContaining({ code: 'INVALID_JSON' }),
    )
  })

  test('makes a member of every name', () => {
    expect(Object.keys(parse('{"__proto__":1,"constructor":2}') as object)).toEqual(['__proto__', 'constructor'])
  })
})
