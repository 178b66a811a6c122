import type { Json } from '../../controller/domain/json.ts'
import { jsonTypeOf } from '../field-schema.ts'
import { below, quoted, type SchemaProblem } from '../problem.ts'
import { closest } from '../suggest.ts'
import { type DocumentRule, listOf, objectOf, objectsIn, problem } from './rule-kit.ts'

export const table: DocumentRule = (spec) => {
  const columns = Object.keys(objectOf(spec.columns))
  return [
    ...known(spec.primaryKey, columns, '/spec/primaryKey'),
    ...listOf(spec.indexes).flatMap((index, position) => known(index, columns, below('/spec/indexes', position))),
    ...objectsIn(spec.columns, '/spec/columns').flatMap(({ item, at }) =>
      fitting(item.type, item.default, below(at, 'default')),
    ),
  ]
}

function known(names: Json | undefined, columns: readonly string[], at: string): SchemaProblem[] {
  return listOf(names).flatMap((name, index) => {
    if (typeof name !== 'string' || columns.includes(name)) return []
    const meant = closest(name, columns)
    const hint = meant === null ? null : `did you mean \`${meant}\``
    return [problem('UNKNOWN_FIELD', below(at, index), `the table has no column ${quoted(name)}`, hint)]
  })
}

const fitsColumn: Readonly<Record<string, (value: Json) => boolean>> = {
  text: (value) => typeof value === 'string',
  integer: (value) => jsonTypeOf(value) === 'integer',
  numeric: (value) => typeof value === 'number',
  boolean: (value) => typeof value === 'boolean',
  timestamp: (value) => typeof value === 'string' && !Number.isNaN(Date.parse(value)),
  json: () => true,
}

function fitting(type: Json | undefined, value: Json | undefined, at: string): SchemaProblem[] {
  if (value === undefined || value === null || typeof type !== 'string') return []
  if (fitsColumn[type]?.(value) ?? true) return []
  return [problem('WRONG_TYPE', at, `${quoted(value)} is no value of a column of type \`${type}\``)]
}
