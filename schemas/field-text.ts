import type { FieldSchema } from './field-schema.ts'
import { type FormatName, formats } from './formats.ts'

/** A field's type as people read it: `list of text`, `map of tools`, `duration`. */
export function typeText(field: FieldSchema): string {
  if (field.anyOf !== undefined) return field.anyOf.map(typeText).join(' or ')
  if (field['x-schema']) return 'JSON Schema'
  if (field['x-file']) return 'file'
  if (field['x-expression']?.form === 'cel') return 'CEL'
  if (field['x-ref'] !== undefined)
    return `name of ${field['x-ref'].kinds.join(', ')}${field['x-ref'].versioned ? ' with version' : ''}`
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
  if (format !== undefined) return format.name.replace(/^an? /, '').replace(/ (\(|over |in |of five).*$/, '')
  return field['x-expression'] === undefined ? 'text' : 'text with expressions'
}

export interface FieldEntry {
  readonly field: FieldSchema
  readonly required: boolean
}

/** The fields below a field, through lists and alternatives. */
export function fieldsOf(field: FieldSchema): Map<string, FieldEntry> {
  const out = new Map<string, FieldEntry>()
  for (const shape of shapesOf(field)) {
    for (const [name, inner] of Object.entries(shape.properties ?? {})) {
      if (!out.has(name)) out.set(name, { field: inner, required: shape.required?.includes(name) ?? false })
    }
  }
  return out
}

/** The field and every alternative of it, items of lists included. */
export function shapesOf(field: FieldSchema): FieldSchema[] {
  return [field, ...(field.anyOf ?? []).flatMap(shapesOf), ...(field.items === undefined ? [] : shapesOf(field.items))]
}
