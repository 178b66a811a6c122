import { isJsonObject } from '../controller/domain/json.ts'
import { branchFor, type FieldSchema, hasType, type JsonType, jsonTypeOf } from './field-schema.ts'
import { type FormatName, formats } from './formats.ts'
import { below, dotted, quoted, type SchemaProblem } from './problem.ts'
import { closest } from './suggest.ts'

/**
 * Everything that is wrong with a value by its schema, one problem a cause.
 *
 * The generated validators only say yes or no; this one explains, and takes longer. A property test holds them together.
 */
export function checkSchema(schema: FieldSchema, value: unknown, pointer: string): SchemaProblem[] {
  const problems: SchemaProblem[] = []
  check(schema, value, pointer, problems)
  return problems
}

function check(schema: FieldSchema, value: unknown, pointer: string, out: SchemaProblem[]): void {
  const branch = branchFor(schema, value)
  const found = jsonTypeOf(value)
  if (branch === null || !hasType(branch, found)) {
    out.push(wrongType(schema, value, pointer))
    return
  }
  if (branch.const !== undefined && branch.const !== value) {
    out.push(
      problem('NOT_IN_ENUM', pointer, `${name(pointer)} is ${quoted(value)}, and can only be ${quoted(branch.const)}`),
    )
  } else if (branch.enum !== undefined && !branch.enum.includes(value as string)) {
    out.push(notInEnum(branch.enum as readonly string[], value, pointer))
  } else if (typeof value === 'string') {
    checkText(branch, value, pointer, out)
  } else if (typeof value === 'number') {
    checkNumber(branch, value, pointer, out)
  } else if (Array.isArray(value)) {
    checkArray(branch, value, pointer, out)
  } else if (isJsonObject(value)) {
    checkObject(branch, value, pointer, out)
  }
}

function checkText(schema: FieldSchema, value: string, pointer: string, out: SchemaProblem[]): void {
  const length = schema.minLength === undefined && schema.maxLength === undefined ? 0 : characters(value)
  if (schema.minLength !== undefined && length < schema.minLength) {
    out.push(problem('OUT_OF_RANGE', pointer, `${name(pointer)} must not be empty`))
  } else if (schema.maxLength !== undefined && length > schema.maxLength) {
    out.push(problem('OUT_OF_RANGE', pointer, `${name(pointer)} has ${length} characters, over ${schema.maxLength}`))
  } else if (schema.format !== undefined) {
    const format = formats[schema.format as FormatName]
    if (format.test(value)) return
    out.push(
      problem(
        'BAD_FORMAT',
        pointer,
        `${name(pointer)} is ${quoted(value)}, not ${format.name}`,
        `write it like ${format.example}`,
      ),
    )
  }
}

function checkNumber(schema: FieldSchema, value: number, pointer: string, out: SchemaProblem[]): void {
  if (schema.minimum !== undefined && value < schema.minimum) {
    out.push(problem('OUT_OF_RANGE', pointer, `${name(pointer)} is \`${value}\`, under ${schema.minimum}`))
  } else if (schema.maximum !== undefined && value > schema.maximum) {
    out.push(problem('OUT_OF_RANGE', pointer, `${name(pointer)} is \`${value}\`, over ${schema.maximum}`))
  }
}

function checkArray(schema: FieldSchema, value: readonly unknown[], pointer: string, out: SchemaProblem[]): void {
  if (schema.minItems !== undefined && value.length < schema.minItems) {
    out.push(problem('OUT_OF_RANGE', pointer, `${name(pointer)} must have at least ${count(schema.minItems, 'item')}`))
  }
  if (schema.items === undefined) return
  const seen = new Map<unknown, number>()
  for (const [index, item] of value.entries()) {
    check(schema.items, item, below(pointer, index), out)
    if (schema.uniqueItems !== true) continue
    const key = typeof item === 'object' ? JSON.stringify(item) : item
    const first = seen.get(key)
    if (first === undefined) seen.set(key, index)
    else out.push(duplicate(pointer, index, first, item))
  }
}

function checkObject(
  schema: FieldSchema,
  value: { readonly [key: string]: unknown },
  pointer: string,
  out: SchemaProblem[],
) {
  const { properties = {}, additionalProperties: rest } = schema
  const keys = Object.keys(value)
  if (schema.minProperties !== undefined && keys.length < schema.minProperties) {
    const known = Object.keys(properties)
    const hint = known.length > 0 ? `give at least one of ${listed(known)}` : null
    out.push(problem('OUT_OF_RANGE', pointer, `${name(pointer)} must not be empty`, hint))
  }
  const meantKeys = new Set<string>()
  for (const key of keys) {
    const place = below(pointer, key)
    if (Object.hasOwn(properties, key)) {
      check(properties[key]!, value[key], place, out)
    } else if (typeof rest === 'object') {
      checkKey(schema.propertyNames, key, place, out)
      check(rest, value[key], place, out)
    } else if (rest === false) {
      const meant = meantField(Object.keys(properties), value, key)
      if (meant !== null) meantKeys.add(meant)
      out.push(unknownField(Object.keys(properties), meant, key, pointer))
    }
  }
  for (const key of schema.required ?? []) {
    // A field that was misspelt is reported as that, not a second time as missing.
    if (value[key] === undefined && !meantKeys.has(key)) out.push(missing(properties[key], key, pointer))
  }
}

function checkKey(schema: FieldSchema | undefined, key: string, place: string, out: SchemaProblem[]): void {
  if (schema === undefined) return
  const problems: SchemaProblem[] = []
  check(schema, key, place, problems)
  for (const found of problems) {
    out.push({ ...found, atKey: true, message: found.message.replace(name(place), `the key of ${name(place)}`) })
  }
}

function meantField(known: readonly string[], value: object, key: string): string | null {
  const absent = known.filter((name) => !Object.hasOwn(value, name))
  return closest(key, absent) ?? closest(key, known)
}

function unknownField(known: readonly string[], meant: string | null, key: string, pointer: string): SchemaProblem {
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

function missing(field: FieldSchema | undefined, key: string, pointer: string): SchemaProblem {
  return problem('MISSING_FIELD', pointer, `${name(below(pointer, key))} is missing`, field?.description ?? null)
}

function notInEnum(values: readonly string[], value: unknown, pointer: string): SchemaProblem {
  const meant = typeof value === 'string' ? closest(value, values) : null
  const hint = meant === null ? null : `did you mean \`${meant}\``
  return problem('NOT_IN_ENUM', pointer, `${name(pointer)} is ${quoted(value)}, not one of ${listed(values)}`, hint)
}

function duplicate(pointer: string, index: number, first: number, item: unknown): SchemaProblem {
  const what = `${name(pointer)} has ${quoted(item)} twice, as item ${first + 1} and item ${index + 1}`
  return problem('DUPLICATE_ITEM', below(pointer, index), what)
}

function wrongType(schema: FieldSchema, value: unknown, pointer: string): SchemaProblem {
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

function problem(
  code: SchemaProblem['code'],
  pointer: string,
  message: string,
  hint: string | null = null,
): SchemaProblem {
  return { code, message, hint, pointer, atKey: false }
}

function name(pointer: string): string {
  return pointer === '' ? 'the document' : `\`${dotted(pointer)}\``
}

function count(number: number, noun: string): string {
  return number === 1 ? `one ${noun}` : `${number} ${noun}s`
}

export function listed(names: readonly string[]): string {
  return names.map((name) => `\`${name}\``).join(', ')
}

/** JSON Schema counts code points. */
function characters(text: string): number {
  let length = 0
  for (const _ of text) length += 1
  return length
}
