import type { Json } from '../controller/domain/json.ts'

export type JsonType = 'null' | 'boolean' | 'integer' | 'number' | 'string' | 'array' | 'object'

/**
 * What having more of a field does to authority. `grants`: more of it (a larger number, a longer duration, a further
 * item, `true`, a later value of `x-order`) widens; `limits`: more of it narrows; `none`: it says nothing about
 * authority. A changed string without `x-order` cannot be ordered: under `grants` or `limits` it is unproven.
 */
export type Authority = 'grants' | 'limits' | 'none'

export interface FieldReference {
  readonly kinds: readonly string[]
  /** The value is `name@version`. */
  readonly versioned?: boolean
  /** The sibling field whose value picks one of `kinds`. */
  readonly kindFrom?: string
}

export interface FieldExpression {
  /** `cel`: the whole text is one expression; `template`: text with `${…}` inside. */
  readonly form: 'cel' | 'template'
  readonly scope: ExpressionScope
  readonly result: 'boolean' | 'number' | 'any'
  /** Where the value lands, which decides how it is encoded. */
  readonly place?: 'path' | 'query' | 'header' | 'host' | 'key' | 'json'
}

export const expressionScopes = [
  'connector.http',
  'connector.tool',
  'connector.result',
  'connector.response',
  'connector.webhook',
  'connector.poll',
  'operator.sense',
  'operator.rules',
  'policy',
  'schedule',
  'skill',
  'template',
] as const
export type ExpressionScope = (typeof expressionScopes)[number]

/** The part of JSON Schema 2020-12 that kinds are written in, and the keywords of ours. References are resolved. */
export interface FieldSchema {
  readonly title?: string
  readonly description?: string
  readonly type?: JsonType | readonly JsonType[]
  readonly enum?: readonly Json[]
  readonly const?: Json
  readonly format?: string
  readonly minLength?: number
  readonly maxLength?: number
  readonly minimum?: number
  readonly maximum?: number
  readonly minItems?: number
  readonly uniqueItems?: boolean
  readonly minProperties?: number
  readonly required?: readonly string[]
  readonly properties?: { readonly [name: string]: FieldSchema }
  readonly propertyNames?: FieldSchema
  readonly additionalProperties?: boolean | FieldSchema
  readonly items?: FieldSchema
  /** Branches of different JSON types, so that a value's type picks one. */
  readonly anyOf?: readonly FieldSchema[]
  readonly default?: Json
  readonly 'x-authority'?: Authority
  /** The values of `enum`, from least to most of the field. */
  readonly 'x-order'?: readonly string[]
  /** Absent (or an empty array) is the most of the field there can be: a quota without limit, an endless interval. */
  readonly 'x-absent'?: 'most'
  /** Having it both grants and limits, so that any change of it, appearing and vanishing included, is unproven. */
  readonly 'x-unordered'?: boolean
  /** A change of the field is a change of behaviour. */
  readonly 'x-behaviour'?: boolean
  readonly 'x-ref'?: FieldReference
  /** On an open object: every string inside is such an expression. */
  readonly 'x-expression'?: FieldExpression
  /** `{file: path}`: the bytes of the file are part of the value. */
  readonly 'x-file'?: boolean
  /** The name of a credential or secret. */
  readonly 'x-secret-name'?: boolean
  /** The value is itself a JSON Schema, in the closed dialect of `dialect.ts`. */
  readonly 'x-schema'?: boolean
}

/** Scope of a kind: P only in `_platform`, T only in a tenant's folder, B in both. */
export type KindScope = 'P' | 'T' | 'B'

/** The schema of a kind's `spec`, with what is true of the kind as a whole. */
export interface KindSchema extends FieldSchema {
  readonly title: string
  readonly description: string
  readonly 'x-plural': string
  readonly 'x-scope': KindScope
  readonly 'x-runtime': 'effective' | 'stored'
  /** Addressed as `name@version`. */
  readonly 'x-versioned'?: boolean
  /** Rows of `_platform` that every domain may read. */
  readonly 'x-shared'?: boolean
  /** A sandbox inherits the resources of this kind. */
  readonly 'x-inherited'?: boolean
}

/** The keywords of ours, for validators that refuse keywords they do not know. */
export const fieldKeywords = [
  'x-authority',
  'x-order',
  'x-absent',
  'x-unordered',
  'x-behaviour',
  'x-ref',
  'x-expression',
  'x-file',
  'x-secret-name',
  'x-schema',
] as const
export const kindKeywords = ['x-plural', 'x-scope', 'x-runtime', 'x-versioned', 'x-shared', 'x-inherited'] as const

/** The JSON type of a value, as JSON Schema names it; a whole number is an `integer`. */
export function jsonTypeOf(value: unknown): JsonType {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'array'
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number'
  return typeof value as 'boolean' | 'string' | 'object'
}

export function hasType(schema: FieldSchema, found: JsonType): boolean {
  if (schema.type === undefined) return true
  const types = typeof schema.type === 'string' ? [schema.type] : schema.type
  return types.includes(found) || (found === 'integer' && types.includes('number'))
}

/** The schema that `value` is measured by: of an `anyOf` the branch of its type, with the keywords beside it; or null. */
export function branchFor(schema: FieldSchema, value: unknown): FieldSchema | null {
  if (schema.anyOf === undefined) return schema
  const found = jsonTypeOf(value)
  const branch = schema.anyOf.find((candidate) => hasType(candidate, found))
  if (branch === undefined) return null
  let merged = merges.get(branch)
  if (merged === undefined) {
    const { anyOf: _, default: __, ...beside } = schema
    merged = { ...beside, ...branch }
    merges.set(branch, merged)
  }
  return merged
}

const merges = new WeakMap<FieldSchema, FieldSchema>()
