import type { FieldSchema, JsonType } from './field-schema.ts'
import { below, dotted, quoted, type SchemaProblem } from './problem.ts'
import { closest } from './suggest.ts'

/** The field that a key was probably meant to be, by preference one that is not there yet. */
export function meantField(known: readonly string[], value: object, key: string): string | null {
  const absent = known.filter((name) => !Object.hasOwn(value, name))
  return closest(key, absent) ?? closest(key, known)
}

export function unknownField(
  known: readonly string[],
  meant: string | null,
  key: string,
  pointer: string,
): SchemaProblem {
  const hint = meant !== null ? `did you mean \`${meant}\`` : `known fields: ${listed(known)}`
  const where = pointer === '' ? '' : ` in ${name(pointer)}`
  return {
    code: 'UNKNOWN_FIELD',
    message: `unknown field ${quoted(key)}${where}`,
    hint,
    pointer: below(pointer, key),
    atKey: true,
  }
}

export function missing(field: FieldSchema | undefined, key: string, pointer: string): SchemaProblem {
  return problem('MISSING_FIELD', pointer, `${name(below(pointer, key))} is missing`, field?.description ?? null)
}

export function notInEnum(values: readonly string[], value: unknown, pointer: string): SchemaProblem {
  const meant = typeof value === 'string' ? closest(value, values) : null
  const hint = meant === null ? null : `did you mean \`${meant}\``
  return problem('NOT_IN_ENUM', pointer, `${name(pointer)} is ${quoted(value)}, not one of ${listed(values)}`, hint)
}

export function duplicate(pointer: string, index: number, first: number, item: unknown): SchemaProblem {
  const what = `${name(pointer)} has ${quoted(item)} twice, as item ${first + 1} and item ${index + 1}`
  return problem('DUPLICATE_ITEM', below(pointer, index), what)
}

export function wrongType(schema: FieldSchema, value: unknown, pointer: string): SchemaProblem {
  const wanted = [...new Set((schema.anyOf ?? [schema]).flatMap((branch) => branch.type ?? []))]
  const message = `${name(pointer)} must be ${wanted.map((type) => typeNames[type]).join(' or ')}, found ${describe(value)}`
  return problem('WRONG_TYPE', pointer, message, typeHint(schema, wanted, value))
}

function typeHint(schema: FieldSchema, wanted: readonly JsonType[], value: unknown): string | null {
  if (value === null) return 'give it a value, or leave the field out'
  if (wanted.includes('string')) {
    if (schema['x-expression'] !== undefined) return 'quote an expression: YAML reads `{`, `!` and ` #` as its own'
    if (typeof value !== 'object') return `quote it: "${String(value)}"`
  }
  if (wanted.includes('array') && typeof value !== 'object')
    return `write it as a list: [${String(value).slice(0, 40)}]`
  if (typeof value === 'string' && /^(true|false|-?\d+(\.\d+)?)$/.test(value)) return `leave the quotes out: ${value}`
  return null
}

const typeNames: Readonly<Record<JsonType, string>> = {
  null: 'null',
  boolean: '`true` or `false`',
  integer: 'a whole number',
  number: 'a number',
  string: 'text',
  array: 'a list',
  object: 'a map',
}

function describe(value: unknown): string {
  if (value === null) return 'nothing'
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object') return 'a map'
  if (typeof value === 'string') return `the text ${quoted(value)}`
  return typeof value === 'number' ? `the number \`${value}\`` : `\`${String(value)}\``
}

export function problem(
  code: SchemaProblem['code'],
  pointer: string,
  message: string,
  hint: string | null = null,
): SchemaProblem {
  return { code, message, hint, pointer, atKey: false }
}

export function name(pointer: string): string {
  return pointer === '' ? 'the document' : `\`${dotted(pointer)}\``
}

export function count(number: number, noun: string): string {
  return number === 1 ? `one ${noun}` : `${number} ${noun}s`
}

export function listed(names: readonly string[]): string {
  return names.map((name) => `\`${name}\``).join(', ')
}

/** JSON Schema counts code points. */
export function characters(text: string): number {
  let length = 0
  for (const _ of text) length += 1
  return length
}
