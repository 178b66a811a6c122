import type { Json } from '../controller/domain/json.ts'
import type { Authority, FieldSchema } from './field-schema.ts'
import { type FormatName, formats } from './formats.ts'
import { findKind, type KindInfo, kinds, metadata } from './registry.ts'
import { closest } from './suggest.ts'

/** What there is to know about one field, or about a kind as a whole. */
export interface Explanation {
  /** As asked for, with the kind and field names as written in documents: `Operator.spec.trigger.on`. */
  readonly path: string
  readonly kind: KindInfo
  readonly type: string
  readonly description: string
  readonly required: boolean
  readonly default: Json | undefined
  /** Allowed values, or null when they are not listed. */
  readonly values: readonly string[] | null
  readonly authority: Authority | null
  /** Kinds the field refers to. */
  readonly references: readonly string[]
  readonly expression: FieldSchema['x-expression'] | null
  readonly fields: readonly FieldSummary[]
}

export interface FieldSummary {
  readonly name: string
  readonly type: string
  readonly description: string
  readonly required: boolean
  readonly default: Json | undefined
}

/** No such kind or field; `nearest` is what was probably meant, as a whole path. */
export interface NotExplained {
  readonly unknown: string
  readonly nearest: string | null
  readonly known: readonly string[]
}

/**
 * Explains `Kind`, `Kind.spec.trigger.on` or, shorter, `Kind.trigger.on`. List positions are left out; any key of a map
 * may be named.
 */
export function explain(path: string): Explanation | NotExplained {
  const [kindText = '', ...rest] = path.split('.')
  const info = findKind(kindText)
  if (info === null) {
    const names = kinds.map(({ kind }) => kind)
    return { unknown: kindText, nearest: closest(kindText, names), known: names }
  }
  const document = documentField(info)
  const tokens = rest.length > 0 && !Object.hasOwn(document.properties ?? {}, rest[0]!) ? ['spec', ...rest] : rest
  return follow(info, document, tokens.filter((token) => token !== '' && !/^\d+$/.test(token)))
}

function follow(info: KindInfo, document: FieldSchema, tokens: readonly string[]): Explanation | NotExplained {
  let field = document
  let path: string = info.kind
  let required = false
  let index = 0
  while (index < tokens.length) {
    const known = fieldsOf(field)
    const step = stepInto(field, tokens.slice(index))
    if (step === null) {
      const token = tokens[index] ?? ''
      const nearest = closest(token, known.keys())
      return { unknown: `${path}.${token}`, nearest: nearest === null ? null : `${path}.${nearest}`, known: [...known.keys()] }
    }
    required = step.required
    field = step.field
    path = `${path}.${step.name}`
    index += step.length
  }
  return explanation(info, path, field, required)
}

function stepInto(field: FieldSchema, tokens: readonly string[]) {
  const name = tokens[0] ?? ''
  const found = fieldsOf(field).get(name)
  if (found !== undefined) return { ...found, name, length: 1 }
  const inner = shapes(field).find(({ additionalProperties }) => typeof additionalProperties === 'object')
  if (inner === undefined || typeof inner.additionalProperties !== 'object') return null
  // A capability is one key with dots in it: take as many tokens as it needs for the next to be a field.
  const fields = fieldsOf(inner.additionalProperties)
  const next = tokens.findIndex((token, position) => position > 0 && fields.has(token))
  const length = next < 0 ? tokens.length : next
  return { field: inner.additionalProperties, name: tokens.slice(0, length).join('.'), required: false, length }
}

function explanation(info: KindInfo, path: string, field: FieldSchema, required: boolean): Explanation {
  const inner = shapes(field)
  return {
    path,
    kind: info,
    type: typeText(field),
    description: field.description ?? '',
    required,
    default: field.default,
    values: inner.find((shape) => shape.enum !== undefined)?.enum?.map(String) ?? null,
    authority: field['x-authority'] ?? null,
    references: inner.find((shape) => shape['x-ref'] !== undefined)?.['x-ref']?.kinds ?? [],
    expression: inner.find((shape) => shape['x-expression'] !== undefined)?.['x-expression'] ?? null,
    fields: [...fieldsOf(field)].map(([name, entry]) => ({
      name,
      type: typeText(entry.field),
      description: entry.field.description ?? '',
      required: entry.required,
      default: entry.field.default,
    })),
  }
}

/** A field's type as people read it: `list of text`, `map of tools`, `duration`. */
export function typeText(field: FieldSchema): string {
  if (field.anyOf !== undefined) return field.anyOf.map(typeText).join(' or ')
  if (field['x-schema']) return 'JSON Schema'
  if (field['x-file']) return 'file'
  if (field['x-expression']?.form === 'cel') return 'CEL'
  if (field['x-ref'] !== undefined) return `name of ${field['x-ref'].kinds.join(', ')}${field['x-ref'].versioned ? ' with version' : ''}`
  const types = field.type === undefined ? [] : [field.type].flat()
  return types.length === 0 ? 'any value' : types.map((type) => typeName(type, field)).join(' or ')
}

function typeName(type: string, field: FieldSchema): string {
  if (type === 'array') return `list of ${field.items === undefined ? 'any value' : typeText(field.items)}`
  if (type === 'object') {
    const rest = field.additionalProperties
    if (typeof rest === 'object') return `map of ${typeText(rest)}`
    return field.properties === undefined ? 'any map' : 'map'
  }
  if (type !== 'string') return { integer: 'whole number', number: 'number', boolean: 'boolean' }[type] ?? type
  if (field.enum !== undefined) return field.enum.join(' | ')
  const format = field.format === undefined ? undefined : formats[field.format as FormatName]
  if (format !== undefined) return format.name.replace(/^an? /, '')
  return field['x-expression'] === undefined ? 'text' : 'text with expressions'
}

interface FieldEntry {
  readonly field: FieldSchema
  readonly required: boolean
}

/** The fields below a field, through lists and alternatives. */
export function fieldsOf(field: FieldSchema): Map<string, FieldEntry> {
  const out = new Map<string, FieldEntry>()
  for (const shape of shapes(field)) {
    for (const [name, inner] of Object.entries(shape.properties ?? {})) {
      if (!out.has(name)) out.set(name, { field: inner, required: shape.required?.includes(name) ?? false })
    }
  }
  return out
}

function shapes(field: FieldSchema): FieldSchema[] {
  return [field, ...(field.anyOf ?? []).flatMap(shapes), ...(field.items === undefined ? [] : shapes(field.items))]
}

function documentField(info: KindInfo): FieldSchema {
  return {
    type: 'object',
    description: info.description,
    required: ['apiVersion', 'kind', 'metadata'],
    properties: {
      apiVersion: { type: 'string', description: 'Version of the document\'s format', enum: ['fibric.io/v1'] },
      kind: { type: 'string', description: 'Kind of the resource', enum: [info.kind] },
      metadata,
      spec: { ...info.schema, description: `What is wanted of the ${info.kind}` },
    },
  }
}

export function isExplanation(result: Explanation | NotExplained): result is Explanation {
  return 'path' in result
}
