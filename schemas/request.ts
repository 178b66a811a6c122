import { createRequire } from 'node:module'
import type { Ajv2020 } from 'ajv/dist/2020.js'
import { userFormats } from './user-formats.ts'
import { explainErrors, type UserSchemaProblem } from './user-schema.ts'

export type RequestProblem = UserSchemaProblem

/** What is wrong with a part of a request; empty when nothing is. At most 20 problems. */
export type CheckRequest = (value: unknown) => RequestProblem[]

/**
 * A schema of ours for a part of an HTTP request, compiled when it is first asked.
 *
 * `json` bodies are taken as they are: nothing is coerced, removed or filled in. `text` (path, query, headers) comes as
 * strings, so numbers and booleans among them are read in place.
 */
export function compileRequestSchema(schema: object, form: 'json' | 'text'): CheckRequest {
  let compiled: ReturnType<Ajv2020['compile']> | undefined
  return (value) => {
    compiled ??= compilerFor(form).compile(schema)
    return compiled(value) ? [] : explainErrors(compiled.errors ?? [])
  }
}

const compilers = new Map<string, Ajv2020>()

function compilerFor(form: 'json' | 'text'): Ajv2020 {
  const known = compilers.get(form)
  if (known) return known
  const { Ajv2020: Compiler } = createRequire(import.meta.url)('ajv/dist/2020.js') as typeof import('ajv/dist/2020.js')
  const ajv = new Compiler({
    strict: true,
    allowUnionTypes: true,
    // OpenAPI's words beside those of JSON Schema.
    keywords: ['example', 'discriminator'],
    allErrors: true,
    coerceTypes: form === 'text',
    useDefaults: false,
    removeAdditional: false,
    ownProperties: true,
    logger: false,
  })
  for (const [name, test] of Object.entries(userFormats)) ajv.addFormat(name, { type: 'string', validate: test })
  compilers.set(form, ajv)
  return ajv
}
