import type { FieldSchema, KindSchema, KindScope } from './field-schema.ts'
import { kindSchemas, metadataSchema } from './generated/kinds.js'
import type { Kind } from './generated/types.ts'

export interface KindInfo {
  readonly kind: Kind
  /** Lower case, as typed: `fibric get operators`. */
  readonly plural: string
  readonly description: string
  readonly scope: KindScope
  /** Addressed as `name@version`, and immutable per version. */
  readonly versioned: boolean
  /** Rows of `_platform` are readable in every domain. */
  readonly shared: boolean
  /** `stored`: validated, planned and stored, but nothing acts on it yet. */
  readonly runtime: 'effective' | 'stored'
  /** A sandbox inherits resources of this kind from the tenant it is a sandbox of. */
  readonly inherited: boolean
  /** Schema of the `spec`, references resolved. */
  readonly schema: KindSchema
}

export const apiVersion = 'fibric.io/v1'

/** Every kind, in alphabetical order. */
export const kinds: readonly KindInfo[] = Object.values(kindSchemas).map((schema) => ({
  kind: schema.title as Kind,
  plural: schema['x-plural'],
  description: schema.description,
  scope: schema['x-scope'],
  versioned: schema['x-versioned'] ?? false,
  shared: schema['x-shared'] ?? false,
  runtime: schema['x-runtime'],
  inherited: schema['x-inherited'] ?? false,
  schema,
}))

export const metadata: FieldSchema = metadataSchema

const byKind = new Map<string, KindInfo>(kinds.map((info) => [info.kind, info]))

export function isKind(text: string): text is Kind {
  return byKind.has(text)
}

/** The kind of that name, exactly as written in documents; null when there is none. */
export function kindInfo(kind: Kind): KindInfo
export function kindInfo(kind: string): KindInfo | null
export function kindInfo(kind: string): KindInfo | null {
  return byKind.get(kind) ?? null
}

/** The kind that someone typed: its name or plural, in any case (`operator`, `Operators`). */
export function findKind(text: string): KindInfo | null {
  const wanted = text.toLowerCase()
  return kinds.find((info) => info.kind.toLowerCase() === wanted || info.plural === wanted) ?? null
}
