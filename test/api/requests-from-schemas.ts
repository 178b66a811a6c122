import fc from 'fast-check'
import type { Operation, Schema } from '../../controller/api/route.ts'

/** A value that fits a schema of the API. */
export function fitting(schema: Schema): fc.Arbitrary<unknown> {
  if (schema.const !== undefined) return fc.constant(schema.const)
  if (Array.isArray(schema.enum)) return fc.constantFrom(...schema.enum)
  if (Array.isArray(schema.anyOf)) return fc.oneof(...(schema.anyOf as Schema[]).map(fitting))
  const types = schema.type === undefined ? ['string', 'integer', 'boolean', 'null', 'object'] : [schema.type].flat()
  return fc.oneof(...types.map((type) => fittingType(String(type), schema)))
}

/** Values that do not fit, or only look as if: what a careless or a hostile caller sends. */
export const hostile: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom(
    ...[null, true, 0, -1, 1e308, 1e-308, '', ' ', '\0', '\ud800', '../../etc/passwd', '%00', "' or 1=1 --", '${1/0}'],
    ...[
      '__proto__',
      'constructor',
      'toString',
      'x'.repeat(5000),
      [],
      {},
      [[]],
      { __proto__: { a: 1 } },
      { toString: 1 },
    ],
  ),
  fc.jsonValue({ maxDepth: 4 }),
  fc.string({ unit: 'binary', maxLength: 60 }),
)

/** A body for a route: mostly one that fits, often with a part that does not. */
export function bodyFor(schema: Schema): fc.Arbitrary<unknown> {
  const whole = fitting(schema)
  const spoilt = fc.tuple(whole, fc.string({ maxLength: 12 }), hostile).map(([body, name, value]) => {
    if (typeof body !== 'object' || body === null) return value
    const keys = Object.keys(body)
    const at = keys.length > 0 && name.length % 3 !== 0 ? keys[name.length % keys.length]! : name
    return { ...body, [at]: value }
  })
  return fc.oneof({ weight: 4, arbitrary: whole }, { weight: 3, arbitrary: spoilt }, { weight: 1, arbitrary: hostile })
}

/** A path with its query; parameters mostly fit, sometimes are anything that a URL can carry. */
export function pathFor(operation: Operation): fc.Arbitrary<string> {
  const params = fc.record(
    Object.fromEntries(
      Object.keys(operation.params).map((name) => [
        name,
        fc.oneof(
          fc.constantFrom('acme', 'Parameter', 'colour', 'rc_1', 'pl_1', '..', '-'),
          fc.string({ minLength: 1, maxLength: 40, unit: 'grapheme' }),
        ),
      ]),
    ),
  )
  const query = fc.record(
    Object.fromEntries(
      Object.entries(operation.query).map(([name, schema]) => [
        name,
        fc.oneof({ weight: 3, arbitrary: fitting(schema).map(String) }, { weight: 1, arbitrary: hostile.map(textOf) }),
      ]),
    ),
    { requiredKeys: [] },
  )
  return fc.tuple(params, query).map(([values, asked]) => {
    const path = operation.url.replaceAll(/\{(\w+)\}/g, (_all, name: string) => encoded(String(values[name])))
    const search = Object.entries(asked).map(([name, value]) => `${name}=${encoded(String(value))}`)
    return search.length === 0 ? path : `${path}?${search.join('&')}`
  })
}

function fittingType(type: string, schema: Schema): fc.Arbitrary<unknown> {
  switch (type) {
    case 'null':
      return fc.constant(null)
    case 'boolean':
      return fc.boolean()
    case 'integer':
      return fc.integer({ min: Number(schema.minimum ?? -1000), max: Number(schema.maximum ?? 1000) })
    case 'number':
      return fc.oneof(fc.integer(), fc.double({ noNaN: true, noDefaultInfinity: true }))
    case 'array': {
      const items = fitting((schema.items ?? {}) as Schema)
      return fc.array(items, {
        minLength: Number(schema.minItems ?? 0),
        maxLength: Math.min(3, Number(schema.maxItems ?? 3)),
      })
    }
    case 'object':
      return fittingObject(schema)
    default:
      return fittingText(schema)
  }
}

function fittingObject(schema: Schema): fc.Arbitrary<unknown> {
  const properties = (schema.properties ?? {}) as { [name: string]: Schema }
  const required = (schema.required ?? []) as string[]
  const named = fc.record(Object.fromEntries(Object.entries(properties).map(([name, each]) => [name, fitting(each)])), {
    requiredKeys: required,
  })
  if (typeof schema.additionalProperties !== 'object') return named
  const more = fc.dictionary(
    fc.oneof(fc.constantFrom('tenants/acme/a.yaml', 'fibric.yaml', 'team'), fc.string({ minLength: 1, maxLength: 20 })),
    fitting(schema.additionalProperties as Schema),
    { maxKeys: 3 },
  )
  return fc.tuple(named, more).map(([left, right]) => ({ ...right, ...left }))
}

function fittingText(schema: Schema): fc.Arbitrary<string> {
  if (typeof schema.pattern === 'string') return fc.stringMatching(new RegExp(schema.pattern), { size: 'small' })
  if (schema.format === 'date-time')
    return fc.date({ noInvalidDate: true, min: new Date(0), max: new Date(4e12) }).map((at) => at.toISOString())
  const minLength = Number(schema.minLength ?? 0)
  const maxLength = Math.min(Number(schema.maxLength ?? 40), 40)
  const likely = ['acme', '1h', '30s', '99999d', 'acme/User/ana', 'apiVersion: fibric.io/v1'].filter(
    (text) => text.length >= minLength && text.length <= maxLength,
  )
  return fc.oneof(
    fc.string({ minLength, maxLength, unit: 'grapheme' }),
    fc.constantFrom('x'.repeat(Math.max(1, minLength)), ...likely),
  )
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}

/** Half a surrogate pair cannot stand in a URL. */
function encoded(text: string): string {
  return encodeURIComponent(text.toWellFormed()) || '-'
}
