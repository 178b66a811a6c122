import type { Json } from '../controller/domain/json.ts'
import type { Authority, FieldSchema } from './field-schema.ts'
import { fieldsOf, shapesOf, typeText } from './field-text.ts'
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
  return follow(
    info,
    document,
    tokens.filter((token) => token !== '' && !/^\d+$/.test(token)),
  )
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
      return {
        unknown: `${path}.${token}`,
        nearest: nearest === null ? null : `${path}.${nearest}`,
        known: [...known.keys()],
      }
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
  const inner = shapesOf(field).find(({ additionalProperties }) => typeof additionalProperties === 'object')
  if (inner === undefined || typeof inner.additionalProperties !== 'object') return null
  // A capability is one key with dots in it: take as many tokens as it needs for the next to be a field.
  const fields = fieldsOf(inner.additionalProperties)
  const next = tokens.findIndex((token, position) => position > 0 && fields.has(token))
  const length = next < 0 ? tokens.length : next
  return { field: inner.additionalProperties, name: tokens.slice(0, length).join('.'), required: false, length }
}

function explanation(info: KindInfo, path: string, field: FieldSchema, required: boolean): Explanation {
  const inner = shapesOf(field)
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

function documentField(info: KindInfo): FieldSchema {
  return {
    type: 'object',
    description: info.description,
    required: ['apiVersion', 'kind', 'metadata'],
    properties: {
      apiVersion: { type: 'string', description: "Version of the document's format", enum: ['fibric.io/v1'] },
      kind: { type: 'string', description: 'Kind of the resource', enum: [info.kind] },
      metadata,
      spec: { ...info.schema, description: `What is wanted of the ${info.kind}` },
    },
  }
}

export function isExplanation(result: Explanation | NotExplained): result is Explanation {
  return 'path' in result
}
