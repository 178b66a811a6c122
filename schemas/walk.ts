import type { Json } from '../controller/domain/json.ts'
import { isJsonObject } from '../controller/domain/json.ts'
import { branchFor, type FieldSchema } from './field-schema.ts'
import type { Kind } from './generated/types.ts'
import { below } from './problem.ts'
import { kindInfo } from './registry.ts'

/** `atKey`: the value is the key of the entry at `pointer`, not what it holds. */
export type FieldVisitor = (pointer: string, value: Json, schema: FieldSchema, atKey: boolean) => void

/**
 * Visits every field that is present in `spec`, parents first, with its JSON pointer into the document (`/spec/…`).
 *
 * Of an `anyOf` the schema is the branch of the value's type, with the marks beside it. Inside an open value (arguments,
 * payloads) only what is an expression is visited: each string, with the expression mark of the field it lies in. Keys of
 * maps that are references (`x-ref` in `propertyNames`) are visited before their entry, with its pointer and `atKey`.
 */
export function walkFields(kind: Kind, spec: Json, visit: FieldVisitor): void {
  walkSchema(kindInfo(kind).schema, spec, '/spec', visit)
}

export function walkSchema(schema: FieldSchema, value: Json, pointer: string, visit: FieldVisitor): void {
  const branch = branchFor(schema, value)
  if (branch === null) return
  visit(pointer, value, branch, false)
  if (Array.isArray(value)) {
    if (branch.items === undefined) walkOpen(branch, value, pointer, visit)
    else for (const [index, item] of value.entries()) walkSchema(branch.items, item, below(pointer, index), visit)
  } else if (isJsonObject(value)) {
    walkObject(branch, value, pointer, visit)
  }
}

function walkObject(
  schema: FieldSchema,
  value: { readonly [key: string]: Json },
  pointer: string,
  visit: FieldVisitor,
) {
  const rest = schema.additionalProperties
  if (schema.properties === undefined && (rest === undefined || typeof rest === 'boolean')) {
    walkOpen(schema, value, pointer, visit)
    return
  }
  for (const [key, item] of Object.entries(value)) {
    const known =
      schema.properties !== undefined && Object.hasOwn(schema.properties, key) ? schema.properties[key] : undefined
    const field = known ?? (typeof rest === 'object' ? rest : undefined)
    if (field === undefined) continue
    if (known === undefined && schema.propertyNames?.['x-ref'])
      visit(below(pointer, key), key, schema.propertyNames, true)
    walkSchema(field, item, below(pointer, key), visit)
  }
}

function walkOpen(schema: FieldSchema, value: Json, pointer: string, visit: FieldVisitor): void {
  const expression = schema['x-expression']
  if (expression === undefined) return
  const text: FieldSchema = {
    type: 'string',
    'x-expression': expression,
    'x-authority': schema['x-authority'] ?? 'grants',
  }
  const descend = (inner: Json, place: string) => {
    if (typeof inner === 'string') visit(place, inner, text, false)
    else if (Array.isArray(inner)) for (const [index, item] of inner.entries()) descend(item, below(place, index))
    else if (isJsonObject(inner)) for (const [key, item] of Object.entries(inner)) descend(item, below(place, key))
  }
  // The value itself was visited; a string there carries its mark already.
  if (typeof value !== 'string') descend(value, pointer)
}
