import { isJsonObject, type Json, type JsonObject } from '../../controller/domain/json.ts'
import type { Kind } from '../generated/types.ts'
import { below, dotted, type ProblemCode, type SchemaProblem } from '../problem.ts'

/** Where a document lies and what it is called: what a rule may ask besides the spec. */
export interface RuleContext {
  /** Slug of the folder; `_platform` for the governance domain. */
  readonly slug: string
  /** `metadata.name`, or the empty text when there is none. */
  readonly name: string
}

/**
 * What JSON Schema cannot say, or not in a message a person can act on: the relations between the fields of one spec.
 *
 * The spec may be of any shape: what has the wrong type is reported by the schema and skipped here. A rule says the same
 * of a spec before and after defaults, so that what `import` writes from state is valid.
 */
export type DocumentRule = (spec: JsonObject, context: RuleContext) => SchemaProblem[]
export type DocumentRules = { readonly [kind in Kind]?: DocumentRule }

export function problem(
  code: ProblemCode,
  pointer: string,
  message: string,
  hint: string | null = null,
): SchemaProblem {
  return { code, message, hint, pointer, atKey: false }
}

/** A problem of a field that should not be there: it points at the key. */
export function unwanted(
  code: ProblemCode,
  pointer: string,
  message: string,
  hint: string | null = null,
): SchemaProblem {
  return { code, message, hint, pointer, atKey: true }
}

/** Problems unless exactly one of `names` is present in the object at `pointer`. */
export function exactlyOne(object: JsonObject, names: readonly string[], pointer: string): SchemaProblem[] {
  const [first, second] = names.filter((name) => object[name] !== undefined)
  const choice = names.map((name) => `\`${name}\``).join(', ')
  if (first === undefined) {
    return [problem('MISSING_FIELD', pointer, `\`${dotted(pointer)}\` needs one of ${choice}`)]
  }
  if (second === undefined) return []
  const message = `\`${dotted(pointer)}\` has both \`${first}\` and \`${second}\``
  return [unwanted('CONFLICTING_FIELDS', below(pointer, second), message, `keep exactly one of ${choice}`)]
}

/** A problem when the field is present, with the reason why it must not be. */
export function absent(object: JsonObject, name: string, pointer: string, reason: string, hint: string | null = null) {
  if (object[name] === undefined) return []
  const place = below(pointer, name)
  return [unwanted('CONFLICTING_FIELDS', place, `\`${dotted(place)}\` ${reason}`, hint)]
}

export function required(
  object: JsonObject,
  name: string,
  pointer: string,
  reason: string,
  hint: string | null = null,
) {
  if (object[name] !== undefined) return []
  return [problem('MISSING_FIELD', pointer, `\`${dotted(below(pointer, name))}\` is missing: ${reason}`, hint)]
}

export function platformOnly(object: JsonObject, name: string, pointer: string): SchemaProblem[] {
  if (object[name] === undefined) return []
  const place = below(pointer, name)
  return [
    unwanted(
      'PLATFORM_ONLY',
      place,
      `\`${dotted(place)}\` counts in \`_platform\` only`,
      "leave it out of a tenant's folder",
    ),
  ]
}

export function isPlatform(context: RuleContext): boolean {
  return context.slug === '_platform'
}

export function objectOf(value: Json | undefined): JsonObject {
  return isJsonObject(value) ? value : {}
}

export function listOf(value: Json | undefined): readonly Json[] {
  return Array.isArray(value) ? value : []
}

/** The entries of a map, or of a list under their index, that are objects, with their pointers. */
export function objectsIn(
  value: Json | undefined,
  pointer: string,
): { readonly key: string; readonly at: string; readonly item: JsonObject }[] {
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, item]) =>
    isJsonObject(item) ? [{ key, item, at: below(pointer, key) }] : [],
  )
}

/** Items of a list of objects whose `field` occurred before. */
export function repeated(list: Json | undefined, field: string, pointer: string, noun: string): SchemaProblem[] {
  const seen = new Set<Json>()
  return objectsIn(list, pointer).flatMap(({ item, at }) => {
    const value = item[field]
    if (typeof value !== 'string' || !seen.has(value)) {
      if (value !== undefined) seen.add(value)
      return []
    }
    return [problem('DUPLICATE_ITEM', below(at, field), `${noun} \`${value}\` occurs twice in \`${dotted(pointer)}\``)]
  })
}
