import { isJsonObject, type Json, type JsonObject } from '../controller/domain/json.ts'
import { compileRe2 } from '../controller/domain/re2.ts'
import { jsonTypeOf } from './field-schema.ts'
import { below, pointerTokens, quoted } from './problem.ts'
import { closest } from './suggest.ts'
import { annotationFormats, userFormats } from './user-formats.ts'

export { compileUserSchema, type UserSchema, type UserSchemaProblem } from './user-schema.ts'

/** One thing in a user's JSON Schema that the dialect does not take. */
export interface DialectProblem {
  /** JSON pointer into the schema. */
  readonly pointer: string
  readonly message: string
  readonly hint: string | null
}

/** Bounds of a JSON Schema inside a document: its authors are tenants, and validation runs in the controller. */
export const dialectLimits = { bytes: 64 * 1024, depth: 16, properties: 200, expanded: 5000, problems: 20 } as const

/**
 * Everything in `value` that the closed dialect refuses: JSON Schema 2020-12 without references that leave the schema or
 * return to themselves, without dynamic references, `unevaluated…` and `uniqueItems` over objects, with patterns in RE2
 * syntax, and within `dialectLimits`.
 */
export function checkUserSchema(value: Json): DialectProblem[] {
  const bytes = Buffer.byteLength(JSON.stringify(value))
  if (bytes > dialectLimits.bytes) return [refusal('', `the schema has ${bytes} bytes, over ${dialectLimits.bytes}`)]
  const state: State = { root: value, problems: [], properties: 0 }
  checkNode(value, '', 1, state)
  if (state.properties > dialectLimits.properties) {
    state.problems.push(refusal('', `the schema has ${state.properties} properties, over ${dialectLimits.properties}`))
  }
  if (state.problems.length === 0) checkExpansion(value, state)
  return state.problems.slice(0, dialectLimits.problems)
}

interface State {
  readonly root: Json
  readonly problems: DialectProblem[]
  properties: number
}

type KeywordCheck = (value: Json, pointer: string, depth: number, state: State, node: JsonObject) => void

function checkNode(node: Json, pointer: string, depth: number, state: State): void {
  if (typeof node === 'boolean') return
  if (!isJsonObject(node)) {
    state.problems.push(refusal(pointer, `a schema is a map or a boolean, found ${quoted(node)}`))
    return
  }
  if (depth > dialectLimits.depth) {
    state.problems.push(refusal(pointer, `schemas nest deeper than ${dialectLimits.depth}`))
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

const reference: KeywordCheck = (value, pointer, _depth, state) => {
  if (typeof value !== 'string' || !value.startsWith('#/$defs/')) {
    const hint = 'put the schema under `$defs` and refer to it as `#/$defs/NAME`'
    state.problems.push(refusal(pointer, `${quoted(value)} leaves the schema`, hint))
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
  enum: ofType('array'),
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

function checkPattern(value: Json, pointer: string, state: State): void {
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

/** References may repeat a shape; that they multiply or return to themselves would make a small schema endless work. */
function checkExpansion(root: Json, state: State): void {
  const sizes = new Map<string, number>()
  const open = new Set<string>()
  const sizeOf = (node: Json): number => {
    if (typeof node !== 'object' || node === null) return 1
    let size = 1
    for (const [key, item] of Object.entries(node)) {
      if (key === '$defs' || key === 'enum' || key === 'const' || key === 'default' || key === 'examples') continue
      size += key === '$ref' && typeof item === 'string' ? targetSize(item) : sizeOf(item)
    }
    return Math.min(size, dialectLimits.expanded + 1)
  }
  const targetSize = (target: string): number => {
    const known = sizes.get(target)
    if (known !== undefined) return known
    if (open.has(target)) throw new CircleError(target)
    open.add(target)
    const size = sizeOf(lookUp(root, target) ?? null)
    open.delete(target)
    sizes.set(target, size)
    return size
  }
  try {
    for (const name of Object.keys(isJsonObject(root) && isJsonObject(root.$defs) ? root.$defs : {})) {
      targetSize(`#${below('/$defs', name)}`)
    }
    if (sizeOf(root) > dialectLimits.expanded) {
      state.problems.push(
        refusal('', `the schema has over ${dialectLimits.expanded} parts once its references are followed`),
      )
    }
  } catch (error) {
    if (!(error instanceof CircleError)) throw error
    state.problems.push(
      refusal(
        error.target.slice(1),
        `${quoted(error.target)} refers to itself`,
        'write out the levels that are needed',
      ),
    )
  }
}

class CircleError extends Error {
  readonly target: string
  constructor(target: string) {
    super(target)
    this.target = target
  }
}

function lookUp(root: Json, target: string): Json | undefined {
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

function refusal(pointer: string, message: string, hint: string | null = null): DialectProblem {
  return { pointer, message, hint }
}
