import { createRequire } from 'node:module'
import type { Ajv2020, ErrorObject } from 'ajv/dist/2020.js'
import { digestJson } from '../controller/domain/digest.ts'
import type { Json } from '../controller/domain/json.ts'
import { compileRe2 } from '../controller/domain/re2.ts'
import { dotted, quoted } from './problem.ts'
import { annotationFormats, userFormats } from './user-formats.ts'

/** A compiled JSON Schema of a document's author. */
export interface UserSchema {
  /** What is wrong with a value; empty when nothing is. At most 20 problems. */
  readonly validate: (value: unknown) => UserSchemaProblem[]
}

export interface UserSchemaProblem {
  /** JSON pointer into the value. */
  readonly pointer: string
  readonly message: string
}

const cacheSizeMax = 500
const problemsMax = 20
const cache = new Map<string, UserSchema>()

/**
 * Compiles a schema that passed `checkUserSchema`; kept by digest, the least recently used are dropped.
 *
 * Compilation takes a few milliseconds, so callers on a hot path keep what they get.
 */
export function compileUserSchema(schema: Json): UserSchema {
  const digest = digestJson(schema)
  const known = cache.get(digest)
  if (known !== undefined) {
    cache.delete(digest)
    cache.set(digest, known)
    return known
  }
  const compiled = compile(schema)
  if (cache.size >= cacheSizeMax) cache.delete(cache.keys().next().value as string)
  cache.set(digest, compiled)
  return compiled
}

function compile(schema: Json): UserSchema {
  const validate = compiler().compile(typeof schema === 'boolean' ? schema : (schema as object))
  return {
    validate: (value) => (validate(value) ? [] : explainErrors(validate.errors ?? [])),
  }
}

/** What Ajv found, one sentence a cause. */
export function explainErrors(errors: readonly ErrorObject[]): UserSchemaProblem[] {
  return causes(errors).slice(0, problemsMax).map(explained)
}

/** A compiler a schema: Ajv keeps everything it ever compiled in the instance's scope. */
function compiler(): Ajv2020 {
  // Ajv takes 25 ms to load, and most commands never meet a value of a user's schema.
  const { Ajv2020: Compiler } = createRequire(import.meta.url)('ajv/dist/2020.js') as typeof import('ajv/dist/2020.js')
  const ajv = new Compiler({
    strict: false,
    logger: false,
    allErrors: true,
    validateSchema: false,
    meta: false,
    ownProperties: true,
    code: { regExp: linearRegExp },
  })
  for (const [name, test] of Object.entries(userFormats)) ajv.addFormat(name, { type: 'string', validate: test })
  for (const name of annotationFormats) ajv.addFormat(name, true)
  return ajv
}

const linearRegExp = Object.assign(
  (pattern: string) => {
    const compiled = compileRe2(pattern)
    // Ajv tells patterns apart by their text: without one of their own the first would stand for all.
    return { test: (text: string) => compiled.test(text), toString: () => `re2:${pattern}` } as unknown as RegExp
  },
  { code: 'compileRe2' },
)

/** Without the errors of branches: that none of them fits says it all. */
function causes(errors: readonly ErrorObject[]): ErrorObject[] {
  const branching = errors.filter(({ keyword }) => keyword === 'anyOf' || keyword === 'oneOf' || keyword === 'if')
  return errors.filter(
    (error) => !branching.some((parent) => parent !== error && error.schemaPath.startsWith(`${parent.schemaPath}/`)),
  )
}

const boundNames: Readonly<Record<string, string>> = {
  minimum: 'is under',
  maximum: 'is over',
  exclusiveMinimum: 'is not over',
  exclusiveMaximum: 'is not under',
  multipleOf: 'is no multiple of',
}

function explained(error: ErrorObject): UserSchemaProblem {
  const { instancePath, keyword, params } = error as ErrorObject & { params: Record<string, unknown> }
  const name = instancePath === '' ? 'the value' : `\`${dotted(instancePath)}\``
  const bound = boundNames[keyword]
  if (bound !== undefined)
    return { pointer: instancePath, message: `${name} ${bound} ${String(params.limit ?? params.multipleOf)}` }
  switch (keyword) {
    case 'required':
      return { pointer: instancePath, message: `${name} lacks ${quoted(params.missingProperty)}` }
    case 'additionalProperties':
      return { pointer: instancePath, message: `${name} has the unknown field ${quoted(params.additionalProperty)}` }
    case 'type':
      return { pointer: instancePath, message: `${name} must be ${[params.type].flat().join(' or ')}` }
    case 'enum':
      return {
        pointer: instancePath,
        message: `${name} is not one of ${(params.allowedValues as unknown[]).map(quoted).join(', ')}`,
      }
    case 'pattern':
      return { pointer: instancePath, message: `${name} does not match ${quoted(params.pattern)}` }
    case 'format':
      return { pointer: instancePath, message: `${name} has not the format ${quoted(params.format)}` }
    case 'anyOf':
    case 'oneOf':
      return {
        pointer: instancePath,
        message: `${name} fits ${Array.isArray(params.passingSchemas) ? 'more than one' : 'none'} of the allowed shapes`,
      }
    default:
      return { pointer: instancePath, message: `${name} ${error.message ?? `fails \`${keyword}\``}` }
  }
}
