import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Document, type Node, type Scalar, visit } from 'yaml'
import { formatFile } from '../../../schemas/format/index.ts'
import { parseYaml } from '../../../schemas/load/parse-yaml.ts'

const texts = fc.oneof(
  fc.string({ maxLength: 20 }),
  fc.string({ unit: 'grapheme', maxLength: 12 }),
  fc.constantFrom(
    'on',
    'no',
    '08:00',
    '012',
    '1.0',
    'null',
    '~',
    'true',
    '${event.payload.id}',
    '!x',
    '{a',
    'a #b',
    "it's",
  ),
  fc.constantFrom(
    'order:*',
    'a: b',
    '- a',
    'a\nb\n',
    'a\n\n b',
    ' lead',
    'trail ',
    '"',
    '\\',
    '# c',
    '---',
    '...',
    'x'.repeat(130),
  ),
)
const keys = fc.oneof(
  fc.constantFrom('name', 'labels', 'on', 'when', 'n', 'a b', '0x1', 'z-1'),
  fc.string({ minLength: 1, maxLength: 8 }),
)
const values = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    texts,
    fc.integer(),
    fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e6, max: 1e6 }),
    fc.boolean(),
    fc.constant(null),
    fc.array(tie('value'), { maxLength: 6 }),
    fc.dictionary(keys, tie('value'), { maxKeys: 6, noNullPrototype: true }),
  ),
})).value
const documents = fc.record({
  spec: values,
  kind: fc.constant('Role'),
  metadata: values,
  apiVersion: fc.constant('fibric.io/v1'),
})

/** The same value written as somebody could have: any quotes, brackets, blank lines and comments. */
function written(value: unknown, choices: readonly number[]): string {
  const document = new Document(value)
  let at = 0
  const choice = (count: number) => (choices[at++ % choices.length] ?? 0) % count
  visit(document, (key, node) => {
    if (node === null || typeof node !== 'object') return
    const loose = node as Node & { flow?: boolean; spaceBefore?: boolean; items?: unknown[] }
    if (loose.items) loose.flow = choice(4) === 0
    else if (typeof (node as Scalar).value === 'string') {
      ;(node as Scalar).type = (['PLAIN', 'QUOTE_DOUBLE', 'QUOTE_SINGLE', 'BLOCK_LITERAL', 'BLOCK_FOLDED'] as const)[
        choice(5)
      ]!
    }
    if (key === 'key' || typeof key === 'number') {
      if (choice(6) === 0) loose.commentBefore = ` before ${at}`
      if (choice(6) === 0) loose.spaceBefore = true
    }
    if (key === 'value' && !loose.items && choice(6) === 0) loose.comment = ` behind ${at}`
  })
  return document.toString({
    indent: 1 + choice(4) + 1,
    lineWidth: [0, 40, 80][choice(3)]!,
    indentSeq: choice(2) === 0,
  })
}

test('formatting keeps every value, and formatting again changes nothing', () => {
  let formattedCount = 0
  let total = 0
  fc.assert(
    fc.property(documents, fc.array(fc.nat(59), { minLength: 1, maxLength: 40 }), (document, choices) => {
      const text = written(document, choices)
      const before = parseYaml(text)
      if (before.problems.length > 0) return
      total++
      const result = formatFile(Buffer.from(text), false)
      // What cannot be kept is refused, which is right, and must be rare.
      if (result.is !== 'formatted') return
      formattedCount++
      expect(parseYaml(result.text).documents.map(({ value }) => value)).toEqual(
        before.documents.map(({ value }) => value),
      )
      expect(formatFile(Buffer.from(result.text), false)).toEqual(result)
      expect(result.text).toMatch(/[^\n]\n$|^\n*$|\n\n$/)
    }),
    { numRuns: 1200 },
  )
  expect(total).toBeGreaterThan(1000)
  expect(formattedCount / total).toBeGreaterThan(0.97)
})

test('whatever the bytes, formatting ends in an answer', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.uint8Array({ maxLength: 200 }),
        fc.string({ maxLength: 200 }).map((text) => Buffer.from(`apiVersion: x\n${text}`)),
      ),
      (bytes) => {
        expect(['formatted', 'foreign', 'refused']).toContain(formatFile(Buffer.from(bytes), false).is)
      },
    ),
    { numRuns: 500 },
  )
})
