import fc from 'fast-check'
import { expect, test } from 'vitest'
import { canonicalJson } from '../../controller/domain/canonical-json.ts'
import { changedFields, diffFields } from '../../controller/domain/field-diff.ts'
import type { JsonObject } from '../../controller/domain/json.ts'
import type { ResourceContent } from '../../controller/domain/resource.ts'

const of = (spec: JsonObject, labels: { [key: string]: string } = {}): ResourceContent => ({
  kind: 'Parameter',
  metadata: { name: 'a', labels },
  spec,
})

const table: readonly (readonly [string, JsonObject, JsonObject, readonly string[]])[] = [
  ['nothing', { a: 1, b: [1, { c: 2 }] }, { b: [1, { c: 2 }], a: 1 }, []],
  ['a value', { a: 1 }, { a: 2 }, ['spec.a']],
  ['a field more', {}, { a: null }, ['spec.a']],
  ['a field less', { a: false }, {}, ['spec.a']],
  ['another type', { a: '1' }, { a: 1 }, ['spec.a']],
  ['a list item', { a: [1, 2, 3] }, { a: [1, 5, 3] }, ['spec.a[1]']],
  ['a longer list', { a: [1] }, { a: [1, 2] }, ['spec.a[1]']],
  ['deep inside', { a: { b: [{ c: 1, d: 2 }] } }, { a: { b: [{ c: 1, d: 3 }] } }, ['spec.a.b[0].d']],
]
test.each(table)('%s', (_title, before, after, paths) => {
  expect(diffFields(of(before), of(after)).map(({ path }) => path)).toEqual(paths)
})

test('rules see the top fields alone, and nothing where there is no before or after', () => {
  expect(changedFields(of({ a: { b: 1, c: 1 } }, { x: '1' }), of({ a: { b: 2, c: 2 } }, { x: '2' }))).toEqual([
    'metadata.labels',
    'spec.a',
  ])
  expect(changedFields(null, of({}))).toEqual([])
  expect(changedFields(of({}), null)).toEqual([])
})

test('two contents have no difference exactly when they are canonically the same', () => {
  const spec = fc.dictionary(fc.constantFrom('a', 'b'), fc.jsonValue({ maxDepth: 2 }), {
    noNullPrototype: true,
  }) as fc.Arbitrary<JsonObject>
  fc.assert(
    fc.property(spec, spec, (before, after) => {
      fc.pre(JSON.stringify([before, after]).isWellFormed())
      const same = canonicalJson(before) === canonicalJson(after)
      expect(diffFields(of(before), of(after)).length === 0).toBe(same)
      expect(diffFields(of(before), of(structuredClone(before)))).toEqual([])
    }),
  )
})
