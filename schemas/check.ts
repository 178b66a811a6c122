import { isJsonObject } from '../controller/domain/json.ts'
import {
  characters,
  count,
  duplicate,
  listed,
  meantField,
  missing,
  name,
  notInEnum,
  problem,
  unknownField,
  wrongType,
} from './check-messages.ts'
import { branchFor, type FieldSchema, hasType, jsonTypeOf } from './field-schema.ts'
import { type FormatName, formats } from './formats.ts'
import { below, quoted, type SchemaProblem } from './problem.ts'

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
