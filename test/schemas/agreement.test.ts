import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { JsonObject } from '../../controller/domain/json.ts'
import { checkSchema } from '../../schemas/check.ts'
import { formats } from '../../schemas/formats.ts'
import { makeValidators } from '../../schemas/generated/validators.js'
import { checkDocument, kinds, validateDocument, withDefaults } from '../../schemas/index.ts'
import { metadata } from '../../schemas/registry.ts'
import { accepted, nearly } from './spec-arbitrary.ts'

const validators = makeValidators(
  Object.fromEntries(Object.entries(formats).map(([name, { test: has }]) => [name, has])),
)

describe.each(kinds)('$kind', ({ kind, schema }) => {
  test('is refused by the generated validator exactly when there is a problem to show', () => {
    fc.assert(
      fc.property(nearly(schema), (spec) => {
        expect(checkSchema(schema, spec, '/spec').length === 0).toBe(validators[kind]!(spec))
      }),
      { numRuns: 400 },
    )
  })

  test('is as valid after defaults as before, and defaults change nothing the second time', () => {
    fc.assert(
      fc.property(accepted(schema), fc.constantFrom('_platform', 'acme'), (value, slug) => {
        const spec = value as JsonObject
        const before = JSON.stringify(spec)
        const filled = withDefaults(kind, spec)
        expect(JSON.stringify(spec)).toBe(before)
        expect(withDefaults(kind, filled)).toEqual(filled)
        expect(checkSchema(schema, filled, '/spec')).toEqual([])
        const valid = (each: JsonObject) => checkDocument(kind, each, { slug, name: slug }).length === 0
        expect(valid(filled)).toBe(valid(spec))
      }),
      { numRuns: 200 },
    )
  })

  test('whatever stands in the document, validation answers with problems that have a place', () => {
    fc.assert(
      fc.property(
        fc.oneof(nearly(schema), fc.jsonValue()),
        fc.oneof(nearly(metadata), fc.jsonValue()),
        (spec, about) => {
          const document = { apiVersion: 'fibric.io/v1', kind, metadata: about, spec } as never
          for (const { message, pointer } of validateDocument(kind, document, { slug: 'acme' })) {
            expect(message).toMatch(/^[^\n]+$/)
            expect(pointer).toMatch(/^(\/.*)?$/s)
          }
        },
      ),
      { numRuns: 200 },
    )
  })
})
