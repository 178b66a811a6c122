import { isJsonObject, type Json, type JsonObject } from '../controller/domain/json.ts'
import { compileRe2 } from '../controller/domain/re2.ts'
import { jsonTypeOf } from './field-schema.ts'
import { below, pointerTokens, quoted } from './problem.ts'
import { closest } from './suggest.ts'
import { annotationFormats, userFormats } from './user-formats.ts'

/** One thing in a user's JSON Schema that the dialect does not take. */
export interface DialectProblem {
  /** JSON pointer into the schema. */
  readonly pointer: string
  readonly message: string
  readonly hint: string | null
}

/** What a check of a whole schema has seen so far. */
export interface DialectState {
  readonly root: Json
  readonly depthMax: number
  readonly problems: DialectProblem[]
  properties: number
}

type KeywordCheck = (value: Json, pointer: string, depth: number, state: DialectState, node: JsonObject) => void

/** Checks one schema, and those inside it, keyword by keyword. */
export function checkNode(node: Json, pointer: string, depth: number, state: DialectState): void {
  if (typeof node === 'boolean') return
  if (!isJsonObject(node)) {
    state.problems.push(refusal(pointer, `a schema is a map or a boolean, found ${quoted(node)}`))
    return
  }
  if (depth > state.depthMax) {
    state.problems.push(refusal(pointer, `schemas nest deeper than ${state.depthMax}`))
    return
  }
  for (const [keyword, value] of Object.entries(node)) {
    const place = below(pointer, keyword)
    const check = Object.hasOwn(keywords, keyword) ? keywords[keyword] : undefined
    if (check !== undefined) check(value, place, depth, state, node)
    else if (!keyword.startsWith('x-')) state.problems.push(unknownKeyword(keyword, place))
  }
}

const subschema: KeywordCheck = (value, pointer, depth, state) => checkNode(value, pointer, depth + 1, state)

const subschemaList: KeywordCheck = (value, pointer, depth, state) => {
  if (!Array.isArray(value) || value.length === 0) {
    state.problems.push(refusal(pointer, 'must be a list of schemas, and not empty'))
    return
  }
  for (const [index, item] of value.entries()) checkNode(item, below(pointer, index), depth + 1, state)
}

const subschemaMap: KeywordCheck = (value, pointer, depth, state) => {
  if (!isJsonObject(value)) {
    state.problems.push(refusal(pointer, 'must be a map of schemas'))
    return
  }
  for (const [key, item] of Object.entries(value)) {
    state.properties += 1
    checkNode(item, below(pointer, key), depth + 1, state)
  }
}

const patternMap: KeywordCheck = (value, pointer, depth, state, node) => {
  for (const key of Object.keys(isJsonObject(value) ? value : {})) checkPattern(key, below(pointer, key), state)
  subschemaMap(value, pointer, depth, state, node)
}

const names: KeywordCheck = (value, pointer, _depth, state) => {
  if (!isNameList(value)) state.problems.push(refusal(pointer, 'must be a list of different names'))
}

const nameLists: KeywordCheck = (value, pointer, _depth, state) => {
  if (!isJsonObject(value) || !Object.values(value).every(isNameList)) {
    state.problems.push(refusal(pointer, 'must be a map of lists of different names'))
  }
}

const typeNames = ['null', 'boolean', 'integer', 'number', 'string', 'array', 'object']

const type: KeywordCheck = (value, pointer, _depth, state) => {
  const types = Array.isArray(value) ? value : [value]
  const wrong = types.find((name) => typeof name !== 'string' || !typeNames.includes(name))
  if (wrong !== undefined) {
    const meant = typeof wrong === 'string' ? closest(wrong, typeNames) : null
    state.problems.push(refusal(pointer, `${quoted(wrong)} is no type of JSON`, suggestion(meant)))
  } else if (types.length === 0 || new Set(types).size < types.length) {
    state.problems.push(refusal(pointer, 'must name different types, at least one'))
  }
}

const count: KeywordCheck = (value, pointer, _depth, state) => {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0) {
    state.problems.push(refusal(pointer, `must be a whole number from 0, found ${quoted(value)}`))
  }
}

const scalarTypes = ['null', 'boolean', 'integer', 'number', 'string']

/** Comparing objects pairwise is quadratic in what a stranger sends. */
const uniqueItems: KeywordCheck = (value, pointer, _depth, state, node) => {
  if (typeof value !== 'boolean') {
    state.problems.push(refusal(pointer, 'must be `true` or `false`'))
    return
  }
  if (!value) return
  const declared = isJsonObject(node.items) ? node.items.type : undefined
  const types = Array.isArray(declared) ? declared : [declared]
  if (types.length > 0 && types.every((name) => scalarTypes.includes(name as string))) return
  state.problems.push(refusal(pointer, '`uniqueItems` is for lists of scalars', 'give `items` a scalar `type`'))
}

/** Plain names at one level: what is encoded in a reference is read differently by different tools. */
const localReference = /^#\/\$defs\/[A-Za-z0-9_.-]{1,64}$/

const reference: KeywordCheck = (value, pointer, _depth, state) => {
  if (typeof value !== 'string' || !localReference.test(value)) {
    const hint = 'put the schema under `$defs` at the root and refer to it as `#/$defs/NAME`'
    state.problems.push(refusal(pointer, `${quoted(value)} leaves the schema, or is no plain name`, hint))
  } else if (lookUp(state.root, value) === undefined) {
    state.problems.push(refusal(pointer, `${quoted(value)} does not exist in the schema`))
  }
}

const formatNames = [...Object.keys(userFormats), ...annotationFormats]

const format: KeywordCheck = (value, pointer, _depth, state) => {
  if (typeof value === 'string' && formatNames.includes(value)) return
  const meant = typeof value === 'string' ? closest(value, formatNames) : null
  state.problems.push(refusal(pointer, `${quoted(value)} is no known format`, suggestion(meant)))
}

const dialects = ['https://json-schema.org/draft/2020-12/schema', 'https://json-schema.org/draft/2020-12/schema#']

const keywords: { readonly [keyword: string]: KeywordCheck } = {
  $schema: (value, pointer, _depth, state) => {
    if (!dialects.includes(value as string)) state.problems.push(refusal(pointer, 'only JSON Schema 2020-12 is taken'))
  },
  $ref: reference,
  $defs: subschemaMap,
  $comment: ofType('string'),
  title: ofType('string'),
  description: ofType('string'),
  default: () => undefined,
  examples: ofType('array'),
  deprecated: ofType('boolean'),
  readOnly: ofType('boolean'),
  writeOnly: ofType('boolean'),
  'x-sensitive': ofType('boolean'),
  type,
  enum: (value, pointer, _depth, state) => {
    if (!Array.isArray(value) || value.length === 0)
      state.problems.push(refusal(pointer, 'must be a list, and not empty'))
  },
  const: () => undefined,
  format,
  pattern: (value, pointer, _depth, state) => checkPattern(value, pointer, state),
  minLength: count,
  maxLength: count,
  minimum: ofType('number'),
  maximum: ofType('number'),
  exclusiveMinimum: ofType('number'),
  exclusiveMaximum: ofType('number'),
  multipleOf: (value, pointer, _depth, state) => {
    if (typeof value !== 'number' || value <= 0) state.problems.push(refusal(pointer, 'must be a number over 0'))
  },
  properties: subschemaMap,
  patternProperties: patternMap,
  additionalProperties: subschema,
  propertyNames: subschema,
  required: names,
  dependentRequired: nameLists,
  dependentSchemas: subschemaMap,
  minProperties: count,
  maxProperties: count,
  items: subschema,
  prefixItems: subschemaList,
  contains: subschema,
  minContains: count,
  maxContains: count,
  minItems: count,
  maxItems: count,
  uniqueItems,
  allOf: subschemaList,
  anyOf: subschemaList,
  oneOf: subschemaList,
  not: subschema,
  if: subschema,
  // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
  then: subschema,
  else: subschema,
}

function ofType(wanted: 'string' | 'number' | 'boolean' | 'array'): KeywordCheck {
  const names = { string: 'text', number: 'a number', boolean: '`true` or `false`', array: 'a list' }
  return (value, pointer, _depth, state) => {
    const found = jsonTypeOf(value)
    if (found === wanted || (wanted === 'number' && found === 'integer')) return
    state.problems.push(refusal(pointer, `must be ${names[wanted]}, found ${quoted(value)}`))
  }
}

function checkPattern(value: Json, pointer: string, state: DialectState): void {
  if (typeof value !== 'string') {
    state.problems.push(refusal(pointer, `must be text, found ${quoted(value)}`))
    return
  }
  try {
    compileRe2(value)
  } catch (error) {
    const hint = 'patterns are RE2: no look-around, no back-references'
    state.problems.push(
      refusal(pointer, `${quoted(value)} is no pattern: ${(error as Error).message.slice(0, 120)}`, hint),
    )
  }
}

/** What a local reference refers to. */
export function lookUp(root: Json, target: string): Json | undefined {
  let node: Json | undefined = root
  for (const token of pointerTokens(target.slice(1))) {
    if (typeof node !== 'object' || node === null || !Object.hasOwn(node, token)) return undefined
    node = (node as { readonly [key: string]: Json })[token]
  }
  return node
}

function isNameList(value: Json): boolean {
  return Array.isArray(value) && value.every((name) => typeof name === 'string') && new Set(value).size === value.length
}

function unknownKeyword(keyword: string, pointer: string): DialectProblem {
  const refused = /^(\$|unevaluated)/.test(keyword) && !['$ref', '$defs'].includes(keyword)
  const meant = refused ? null : closest(keyword, Object.keys(keywords))
  const message = refused
    ? `${quoted(keyword)} is not taken in schemas of documents`
    : `unknown keyword ${quoted(keyword)}`
  return refusal(pointer, message, suggestion(meant))
}

function suggestion(meant: string | null): string | null {
  return meant === null ? null : `did you mean \`${meant}\``
}

export function refusal(pointer: string, message: string, hint: string | null = null): DialectProblem {
  return { pointer, message, hint }
}
