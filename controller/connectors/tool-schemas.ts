import { compileUserSchema, type UserSchema } from '../../schemas/index.ts'
import { isJsonObject, type Json } from '../domain/json.ts'

const compiled = new WeakMap<object, UserSchema>()

/** The first thing wrong with a value by a tool's schema, or null. Schemas of a spec at hand are looked up by identity. */
export function misfitOf(schema: Json | undefined, value: Json): string | null {
  if (!isJsonObject(schema)) return null
  const known = compiled.get(schema) ?? compileUserSchema(schema)
  compiled.set(schema, known)
  return known.validate(value)[0]?.message ?? null
}
