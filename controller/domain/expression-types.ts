import { isJsonObject, type Json, type JsonObject } from './json.ts'

export type JsonSchema = JsonObject | boolean

/** Names an object type with these fields, and returns the name to use for it. */
type DeclareObject = (fields: Record<string, string>) => string

/** Schemas nested deeper than this are left unchecked: the engine keeps every type it ever saw. */
const depthMax = 8

/**
 * The CEL type of a JSON Schema: `integer` and `number` are both `double`, as JSON has one kind of number.
 *
 * An object that lists `properties` has exactly those, unless it says `additionalProperties` (`true` or a schema), so
 * that a misspelled field is found. What may be of several types, null included, is `dyn`.
 */
export function celTypeOf(schema: JsonSchema | null, declareObject: DeclareObject, depth = 0): string {
  if (!isJsonObject(schema) || depth > depthMax) return 'dyn'
  switch (soleType(schema)) {
    case 'string':
      return 'string'
    case 'number':
    case 'integer':
      return 'double'
    case 'boolean':
      return 'bool'
    case 'array':
      return `list<${celTypeOf(asSchema(schema.items), declareObject, depth + 1)}>`
    case 'object':
      return objectType(schema, declareObject, depth)
    default:
      return 'dyn'
  }
}

function objectType(schema: JsonObject, declareObject: DeclareObject, depth: number): string {
  const { properties, additionalProperties, patternProperties } = schema
  const open = additionalProperties !== undefined && additionalProperties !== false
  if (!isJsonObject(properties) || patternProperties !== undefined) {
    const values = open && patternProperties === undefined ? asSchema(additionalProperties) : null
    return `map<string, ${celTypeOf(values, declareObject, depth + 1)}>`
  }
  if (open) return 'map<string, dyn>'
  const fields: Record<string, string> = Object.create(null)
  for (const [name, property] of Object.entries(properties)) {
    fields[name] = celTypeOf(asSchema(property), declareObject, depth + 1)
  }
  return declareObject(fields)
}

function soleType(schema: JsonObject): string | null {
  const { type } = schema
  if (typeof type === 'string') return schema.nullable === true ? null : type
  if (Array.isArray(type)) return type.every((each) => each === 'integer' || each === 'number') ? 'number' : null
  if (type === undefined && Array.isArray(schema.enum) && schema.enum.every((each) => typeof each === 'string')) {
    return 'string'
  }
  if (type === undefined && typeof schema.const === 'string') return 'string'
  if (type === undefined && isJsonObject(schema.properties)) return 'object'
  return null
}

function asSchema(value: Json | undefined): JsonSchema | null {
  return isJsonObject(value) ? value : null
}
