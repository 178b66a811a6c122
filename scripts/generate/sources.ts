import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { FieldSchema, KindSchema } from '../../schemas/field-schema.ts'

export interface SchemaSources {
  /** The schemas of the kinds as written, by kind name, in alphabetical order. */
  readonly kinds: ReadonlyMap<string, KindSchema>
  readonly metadata: FieldSchema
  readonly shared: { readonly $defs: { readonly [name: string]: FieldSchema } }
}

export function readSources(root: string): SchemaSources {
  const folder = join(root, 'schemas/kinds')
  const names = readdirSync(folder).filter((name) => /^[A-Z]\w*\.json$/.test(name))
  const read = (path: string) => JSON.parse(readFileSync(join(root, 'schemas', path), 'utf8'))
  return {
    kinds: new Map(names.sort().map((name) => [name.slice(0, -5), read(`kinds/${name}`) as KindSchema])),
    metadata: read('envelope.json'),
    shared: read('kinds/shared.json'),
  }
}

/** The schema with every reference to a shared shape replaced by the shape; keywords beside the reference win. */
export function resolved<Schema extends FieldSchema>(schema: Schema, sources: SchemaSources): Schema {
  return resolve(schema, sources, 0) as Schema
}

const sharedPrefix = 'shared.json#/$defs/'
const identifying = new Set(['$schema', '$id'])

function resolve(value: unknown, sources: SchemaSources, depth: number): unknown {
  if (depth > 64) throw new Error('the shared shapes refer to one another in a circle')
  if (Array.isArray(value)) return value.map((item) => resolve(item, sources, depth + 1))
  if (typeof value !== 'object' || value === null) return value
  const { $ref, ...rest } = value as { $ref?: string }
  const own = Object.fromEntries(
    Object.entries(rest)
      .filter(([key]) => depth > 0 || !identifying.has(key))
      .map(([key, inner]) => [key, resolve(inner, sources, depth + 1)]),
  )
  if ($ref === undefined) return own
  const shape = $ref.startsWith(sharedPrefix) ? sources.shared.$defs[$ref.slice(sharedPrefix.length)] : undefined
  if (shape === undefined) throw new Error(`unknown reference ${$ref}`)
  return { ...(resolve(shape, sources, depth + 1) as object), ...own }
}
