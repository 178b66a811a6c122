import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { checkUserSchema, compileUserSchema } from '../../schemas/index.ts'
import { threadMs } from '../support/thread-time.ts'

const nested = (depth: number): object =>
  depth === 0 ? { type: 'string' } : { type: 'object', properties: { a: nested(depth - 1) } }
const doubling = (levels: number) => ({
  allOf: [{ $ref: `#/$defs/d${levels}` }],
  $defs: Object.fromEntries(
    Array.from({ length: levels + 1 }, (_, level) => {
      const below = { $ref: `#/$defs/d${level - 1}` }
      return [`d${level}`, level === 0 ? { type: 'string' } : { allOf: [below, below] }]
    }),
  ),
})

describe('the dialect takes', () => {
  test.each([
    {
      type: 'object',
      properties: { id: { type: 'string', maxLength: 64 } },
      required: ['id'],
      additionalProperties: false,
    },
    { type: 'array', items: { type: 'string' }, uniqueItems: true },
    { $defs: { a: { type: ['string', 'null'] } }, properties: { x: { $ref: '#/$defs/a' }, y: { $ref: '#/$defs/a' } } },
    { type: 'string', pattern: '^[a-z]{2,8}$', format: 'date-time', 'x-sensitive': true, 'x-vendor': 1 },
    // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
    { if: { const: 1 }, then: true, else: false, examples: [1] },
    nested(14),
  ])('%j', (schema) => {
    expect(checkUserSchema(schema as never)).toEqual([])
  })
})

describe('the dialect refuses', () => {
  test.each([
    { schema: { $ref: 'https://example.com/a.json' }, pointer: '/$ref' },
    { schema: { $ref: '#' }, pointer: '/$ref' },
    { schema: { $defs: { 'a%25': {} }, $ref: '#/$defs/a%25' }, pointer: '/$ref' },
    { schema: { enum: [] }, pointer: '/enum' },
    { schema: { $ref: '#/$defs/none' }, pointer: '/$ref' },
    { schema: { $ref: '#/$defs/__proto__' }, pointer: '/$ref' },
    { schema: { $defs: { a: { items: { $ref: '#/$defs/a' } } } }, pointer: '/$defs/a' },
    { schema: { $dynamicRef: '#a' }, pointer: '/$dynamicRef' },
    { schema: { $id: 'https://example.com' }, pointer: '/$id' },
    { schema: { unevaluatedProperties: false }, pointer: '/unevaluatedProperties' },
    { schema: { type: 'array', uniqueItems: true }, pointer: '/uniqueItems' },
    { schema: { items: { type: ['string', 'object'] }, uniqueItems: true }, pointer: '/uniqueItems' },
    { schema: { properties: { a: { type: 'strnig' } } }, pointer: '/properties/a/type' },
    { schema: { pattern: '(?=a)b' }, pointer: '/pattern' },
    { schema: { pattern: '(a)\\1' }, pointer: '/pattern' },
    { schema: { patternProperties: { '[': {} } }, pointer: '/patternProperties/[' },
    { schema: { propertise: {} }, pointer: '/propertise' },
    { schema: { format: 'datetime' }, pointer: '/format' },
    { schema: { properties: [] }, pointer: '/properties' },
    { schema: { required: ['a', 'a'] }, pointer: '/required' },
    { schema: { minLength: -1 }, pointer: '/minLength' },
    { schema: { allOf: [] }, pointer: '/allOf' },
    { schema: { anyOf: [1] }, pointer: '/anyOf/0' },
    { schema: 'string', pointer: '' },
    {
      schema: { properties: Object.fromEntries(Array.from({ length: 201 }, (_, index) => [`p${index}`, {}])) },
      pointer: '',
    },
    { schema: { description: 'x'.repeat(70_000) }, pointer: '' },
    { schema: doubling(30), pointer: '' },
  ])('$pointer of $schema', ({ schema, pointer }) => {
    expect(checkUserSchema(schema as never).map((problem) => problem.pointer)).toEqual([pointer])
  })

  test('what nests deeper than 16', () => {
    expect(checkUserSchema(nested(16) as never)).toHaveLength(1)
  })

  test('a misspelt keyword with the one that was meant', () => {
    expect(checkUserSchema({ propertise: {} })[0]?.hint).toBe('did you mean `properties`')
  })
})

describe('a hostile author cannot make the process wait', () => {
  test.each(['^(a+)+$', '^(a|a)*$', '^(([a-z])+.)+[A-Z]([a-z])+$', '(x+x+)+y', '^(.*)*$'])(
    'with the pattern %s',
    (pattern) => {
      expect(checkUserSchema({ type: 'string', pattern })).toEqual([])
      const { validate } = compileUserSchema({ type: 'string', pattern })
      const began = threadMs()
      validate(`${'a'.repeat(20_000)}!`)
      validate(`${'x'.repeat(20_000)}!`)
      expect(threadMs() - began).toBeLessThan(1000)
    },
  )

  test.each(['(a{1000}){1000}', '((a{100}){100}){100}', 'a'.repeat(5000), `${'('.repeat(2000)}a${')'.repeat(2000)}`])(
    'with a pattern that is large once written out: %s',
    (pattern) => {
      const began = threadMs()
      const problems = checkUserSchema({ pattern })
      expect(threadMs() - began).toBeLessThan(1000)
      expect(problems).toHaveLength(1)
    },
  )

  test('with the largest schema that is taken', () => {
    const properties = Object.fromEntries(
      Array.from({ length: 200 }, (_, index) => [
        `p${index}`,
        { type: 'string', pattern: `^a{1,${index + 1}}$`, anyOf: [{ minLength: 1 }, { const: 'x' }] },
      ]),
    )
    const schema = { type: 'object', properties }
    expect(checkUserSchema(schema)).toEqual([])
    const began = threadMs()
    compileUserSchema(schema)
    expect(threadMs() - began).toBeLessThan(2000)
  })
})

describe('a compiled schema', () => {
  test('keeps two patterns apart', () => {
    const { validate } = compileUserSchema({
      type: 'object',
      properties: { a: { pattern: '^a$' }, b: { pattern: '^b$' } },
    })
    expect(validate({ a: 'a', b: 'b' })).toEqual([])
    expect(validate({ a: 'b', b: 'a' }).map(({ pointer }) => pointer)).toEqual(['/a', '/b'])
  })

  test('says what is wrong in words, one problem a cause', () => {
    const { validate } = compileUserSchema({
      type: 'object',
      properties: {
        shop: { type: 'string' },
        n: { minimum: 3 },
        c: { enum: ['a', 'b'] },
        d: { anyOf: [{ type: 'string' }, { type: 'object', required: ['x'] }] },
      },
      required: ['shop', 'key'],
      additionalProperties: false,
    })
    expect(validate({ shop: 1, n: 2, c: 'x', d: 1, e: 1 }).map(({ message }) => message)).toEqual([
      'the value lacks `key`',
      'the value has the unknown field `e`',
      '`shop` must be string',
      '`n` is under 3',
      '`c` is not one of `a`, `b`',
      '`d` fits none of the allowed shapes',
    ])
  })

  test('is kept by its digest, whatever the order of its keys', () => {
    expect(compileUserSchema({ type: 'string', minLength: 1 })).toBe(
      compileUserSchema({ minLength: 1, type: 'string' }),
    )
  })

  test('neither coerces, nor removes, nor fills in', () => {
    const value = { a: '1' }
    const { validate } = compileUserSchema({
      properties: { a: { type: 'number' }, b: { default: 1 } },
      additionalProperties: false,
    })
    expect(validate(value)).toHaveLength(1)
    expect(value).toEqual({ a: '1' })
  })

  test('looks at own properties only', () => {
    expect(compileUserSchema({ type: 'object', required: ['constructor'] }).validate({})).toHaveLength(1)
  })
})

describe('whatever the dialect takes', () => {
  const name = fc.constantFrom('a', 'b', '__proto__', 'constructor', 'a b', "'", '"', '\\', '${x}', '\u2028')
  const scalar = fc.constantFrom<unknown>(null, true, 0, 1.5, -1, '', 'a', '__proto__')
  const count = fc.nat(3)
  const { schema } = fc.letrec<{ schema: unknown }>((tie) => {
    const inner = tie('schema')
    const list = fc.array(inner, { minLength: 1, maxLength: 2 })
    const children = fc.dictionary(name, inner, { maxKeys: 3 })
    const keywords = fc.record(
      {
        $ref: fc.constant('#/$defs/a'),
        type: fc.constantFrom<unknown>('string', 'object', 'array', 'integer', ['string', 'null']),
        enum: fc.array(scalar, { minLength: 1, maxLength: 3 }),
        const: scalar,
        format: fc.constantFrom('date-time', 'uri', 'int64'),
        pattern: fc.constantFrom('^a+$', '/', '\\/', '\\p{L}', '`${1}`'),
        minLength: count,
        maximum: fc.integer(),
        multipleOf: fc.constantFrom(0.1, 2),
        properties: children,
        patternProperties: fc.dictionary(fc.constantFrom('^a', '/', "'"), inner, { maxKeys: 2 }),
        additionalProperties: inner,
        propertyNames: inner,
        required: fc.uniqueArray(name, { maxLength: 2 }),
        dependentRequired: fc.dictionary(name, fc.uniqueArray(name, { maxLength: 2 }), { maxKeys: 2 }),
        dependentSchemas: children,
        items: inner,
        prefixItems: list,
        contains: inner,
        minContains: count,
        maxContains: count,
        uniqueItems: fc.boolean(),
        allOf: list,
        anyOf: list,
        oneOf: list,
        not: inner,
        if: inner,
        else: inner,
        default: scalar,
        'x-anything': scalar,
      },
      { requiredKeys: [] },
    )
    // Few keywords a level, or nothing would be small enough to be taken.
    const few = fc.tuple(keywords, fc.array(fc.nat(29), { maxLength: 4 })).map(([all, picks]) => {
      const entries = Object.entries(all)
      return Object.fromEntries(
        picks.map((pick) => entries[pick % Math.max(1, entries.length)]).filter((entry) => entry !== undefined),
      )
    })
    return { schema: fc.oneof({ depthSize: 'small', withCrossShrink: true }, fc.boolean(), fc.constant({}), few) }
  })

  test('compiles, and validates any value without an exception', () => {
    let taken = 0
    fc.assert(
      fc.property(schema, fc.jsonValue({ maxDepth: 3 }), (root, value) => {
        const whole = typeof root === 'object' && root !== null ? { ...root, $defs: { a: { type: 'string' } } } : root
        if (checkUserSchema(whole as never).length > 0) return
        taken += 1
        for (const problem of compileUserSchema(whole as never).validate(value))
          expect(problem.message).toMatch(/^[^\n]+$/)
      }),
      { numRuns: 1500 },
    )
    expect(taken).toBeGreaterThan(300)
  })
})
