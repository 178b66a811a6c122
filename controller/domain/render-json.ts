import { ExpressionError, type ExpressionNames } from './expression.ts'
import type { Json } from './json.ts'
import { parseTemplate, renderTemplate } from './template.ts'

/** A JSON value with the `${ … }` of its texts replaced, keys left as they are. Throws an `ExpressionError`. */
export function renderJson(value: Json, names: ExpressionNames): Json {
  if (typeof value === 'string') {
    const parsed = parseTemplate(value)
    if ('problem' in parsed) throw new ExpressionError(parsed.problem)
    return renderTemplate(parsed.parts, names, 'json')
  }
  if (Array.isArray(value)) return value.map((item) => renderJson(item, names))
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, renderJson(item, names)]))
}
