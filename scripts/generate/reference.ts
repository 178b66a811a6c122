import type { FieldSchema, KindSchema } from '../../schemas/field-schema.ts'

/** One page a kind and an index, in Markdown. */
export function referencePages(kinds: ReadonlyMap<string, KindSchema>, metadata: FieldSchema): [string, string][] {
  return []
}
