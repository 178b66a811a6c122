import type { Json, JsonObject } from '../controller/domain/json.ts'
import { isJsonObject } from '../controller/domain/json.ts'
import { branchFor, type FieldSchema } from './field-schema.ts'
import type { Kind } from './generated/types.ts'
import { kindInfo } from './registry.ts'
import { completions } from './rules/index.ts'

/**
 * The spec with every default in place: those of the schema, then those that depend on other fields (a tool's tier).
 *
 * Nothing is coerced and the argument is not changed; what has no default is shared with it. A value of the wrong type is
 * left as it is. Applying it twice gives the same.
 */
export function withDefaults(kind: Kind, spec: JsonObject): JsonObject {
  const filled = fill(kindInfo(kind).schema, spec) as JsonObject
  return completions[kind]?.(filled) ?? filled
}

function fill(schema: FieldSchema, value: Json): Json {
  if (!holdsDefaults(schema)) return value
  const branch = branchFor(schema, value)
  if (branch === null) return value
  if (Array.isArray(value)) return branch.items === undefined ? value : value.map((item) => fill(branch.items!, item))
  return isJsonObject(value) ? fillObject(branch, value) : value
}

function fillObject(schema: FieldSchema, value: JsonObject): JsonObject {
  const out: { [key: string]: Json } = {}
  const { properties = {}, additionalProperties: rest } = schema
  for (const [key, item] of Object.entries(value)) {
    const field = Object.hasOwn(properties, key) ? properties[key] : typeof rest === 'object' ? rest : undefined
    define(out, key, field === undefined ? item : fill(field, item))
  }
  for (const [key, field] of Object.entries(properties)) {
    if (field.default !== undefined && !Object.hasOwn(value, key)) out[key] = fill(field, field.default)
  }
  return out
}

/** Assignment would take a key named `__proto__` for the prototype. */
function define(target: { [key: string]: Json }, key: string, value: Json): void {
  if (key === '__proto__')
    Object.defineProperty(target, key, { value, enumerable: true, configurable: true, writable: true })
  else target[key] = value
}

const holders = new WeakMap<FieldSchema, boolean>()

/** Whether there is a default anywhere below the field, so that whole branches need no copying. */
function holdsDefaults(schema: FieldSchema): boolean {
  const known = holders.get(schema)
  if (known !== undefined) return known
  const { properties = {}, additionalProperties: rest, items, anyOf = [] } = schema
  const found =
    Object.values(properties).some((field) => field.default !== undefined || holdsDefaults(field)) ||
    (typeof rest === 'object' && holdsDefaults(rest)) ||
    (items !== undefined && holdsDefaults(items)) ||
    anyOf.some(holdsDefaults)
  holders.set(schema, found)
  return found
}
