import fc from 'fast-check'
import { type FieldSchema, jsonTypeOf } from '../../schemas/field-schema.ts'
import { formats } from '../../schemas/formats.ts'

const samples: { readonly [format: string]: readonly string[] } = {
  duration: ['30s', '1h30m', '14d'],
  size: ['512Mi', '1'],
  'label-value': ['', 'ops'],
  'label-key': ['team', 'example.com/team'],
  digest: [`sha256:${'a'.repeat(64)}`],
  'signing-key': ['ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA me'],
}

/** Values that a schema accepts, by the schema alone. */
export function accepted(schema: FieldSchema): fc.Arbitrary<unknown> {
  if (schema.anyOf !== undefined) return fc.oneof(...schema.anyOf.map(accepted))
  if (schema.const !== undefined) return fc.constant(schema.const)
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum)
  const types = schema.type === undefined ? (['null', 'boolean', 'integer', 'string'] as const) : [schema.type].flat()
  return fc.oneof(...types.map((type) => acceptedOfType(type, schema)))
}

/** Values like those a schema accepts, in which something may be wrong. */
export function nearly(schema: FieldSchema): fc.Arbitrary<unknown> {
  return accepted(schema).chain((value) =>
    fc.oneof({ weight: 1, arbitrary: fc.constant(value) }, { weight: 3, arbitrary: damaged(value) }),
  )
}

function acceptedOfType(type: string, schema: FieldSchema): fc.Arbitrary<unknown> {
  switch (type) {
    case 'null':
      return fc.constant(null)
    case 'boolean':
      return fc.boolean()
    case 'integer':
      return fc.integer({ min: schema.minimum ?? -5, max: schema.maximum ?? 1000 })
    case 'number':
      return fc.integer({ min: (schema.minimum ?? -5) * 2, max: (schema.maximum ?? 500) * 2 }).map((half) => half / 2)
    case 'string':
      return textOf(schema)
    case 'array':
      return fc
        .array(accepted(schema.items ?? {}), { minLength: schema.minItems ?? 0, maxLength: 3 })
        .map((items) =>
          schema.uniqueItems ? [...new Map(items.map((item) => [JSON.stringify(item), item])).values()] : items,
        )
    default:
      return objectOf(schema)
  }
}

function textOf(schema: FieldSchema): fc.Arbitrary<string> {
  const { format } = schema
  if (format === undefined)
    return fc.string({ minLength: Math.max(1, schema.minLength ?? 0), maxLength: 12, unit: 'binary' })
  const known = samples[format] ?? [formats[format as keyof typeof formats].example.split(' or ')[0]!]
  return fc.constantFrom(...known)
}

function objectOf(schema: FieldSchema): fc.Arbitrary<object> {
  const { properties, additionalProperties: rest, required = [], minProperties = 0 } = schema
  if (properties === undefined) {
    if (typeof rest !== 'object')
      return fc.dictionary(fc.constantFrom('a', 'b.c', '__proto__'), fc.constantFrom<unknown>(1, 'x', null), {
        maxKeys: 2,
      })
    const keys = accepted(schema.propertyNames ?? { type: 'string' }) as fc.Arbitrary<string>
    return fc.dictionary(keys, accepted(rest), { minKeys: minProperties, maxKeys: 2 })
  }
  const model = Object.fromEntries(Object.entries(properties).map(([name, field]) => [name, accepted(field)]))
  const always = minProperties > 0 && required.length === 0 ? [Object.keys(properties)[0]!] : [...required]
  return fc.record(model, { requiredKeys: always })
}

const strange: readonly unknown[] = [
  null,
  true,
  0,
  -1,
  1.5,
  1e9,
  '',
  ' ',
  'x',
  'A b',
  '0',
  [],
  [null],
  ['a', 'a'],
  {},
  { a: 1 },
]

/** One place in the value is replaced, removed or added to. */
function damaged(value: unknown): fc.Arbitrary<unknown> {
  return fc
    .tuple(
      fc.array(fc.nat(6), { maxLength: 4 }),
      fc.constantFrom(...strange),
      fc.constantFrom('replace', 'remove', 'add'),
    )
    .map(([path, other, how]) => damage(value, path, other, how))
}

function damage(value: unknown, path: readonly number[], other: unknown, how: string): unknown {
  const keys = typeof value === 'object' && value !== null ? Object.keys(value) : []
  if (path.length === 0 || keys.length === 0) {
    if (how === 'add' && jsonTypeOf(value) === 'object') return { ...(value as object), unheardOf: other }
    return other
  }
  const key = keys[path[0]! % keys.length]!
  if (Array.isArray(value))
    return value.map((item, index) => (String(index) === key ? damage(item, path.slice(1), other, how) : item))
  const object = value as Record<string, unknown>
  if (how === 'remove' && path.length === 1)
    return Object.fromEntries(Object.entries(object).filter(([name]) => name !== key))
  return Object.fromEntries(
    Object.entries(object).map(([name, item]) => [name, name === key ? damage(item, path.slice(1), other, how) : item]),
  )
}
