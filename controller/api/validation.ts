import { compileRequestSchema } from '../../schemas/index.ts'
import { FibricError } from '../domain/errors.ts'
import type { Operation, Schema } from './route.ts'

export function objectOf(properties: Operation['query'], required: readonly string[]): Schema {
  return { type: 'object', additionalProperties: false, properties, required }
}

/** Whether a part of a request (`body`, `params`, `querystring`, `headers`) fits, or the error that says how it does not. */
export function validatorOf(schema: Schema, part: string): (value: unknown) => true | { readonly error: FibricError } {
  const check = compileRequestSchema(schema, part === 'body' ? 'json' : 'text')
  return (value: unknown) => {
    const problems = check(value)
    if (problems.length === 0) return true
    const { message } = problems[0]!
    const error =
      part === 'body'
        ? new FibricError('VALIDATION_FAILED', `the body does not fit: ${message}`, { details: { problems } })
        : new FibricError('INVALID_PARAMETER', `${partNames[part] ?? part}: ${message}`, { details: { problems } })
    return { error }
  }
}

const partNames: { readonly [part: string]: string } = {
  params: 'the path does not fit',
  querystring: 'the query does not fit',
  headers: 'the headers do not fit',
}
