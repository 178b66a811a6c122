import { describe, expect, test } from 'vitest'
import { checkUserSchema, compileUserSchema } from '../../schemas/index.ts'

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
      const began = performance.now()
      validate(`${'a'.repeat(20_000)}!`)
      validate(`${'x'.repeat(20_000)}!`)
      expect(performance.now() - began).toBeLessThan(1000)
    },
  )

  test.each(['(a{1000}){1000}', '((a{100}){100}){100}', 'a'.repeat(5000), `${'('.repeat(2000)}a${')'.repeat(2000)}`])(
    'with a pattern that is large once written out: %s',
    (pattern) => {
      const began = performance.now()
      const problems = checkUserSchema({ pattern })
      expect(performance.now() - began).toBeLessThan(1000)
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
    const began = performance.now()
    compileUserSchema(schema)
    expect(performance.now() - began).toBeLessThan(2000)
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
