import type { FieldSchema } from './field-schema.ts'
import { formats } from './formats.ts'
import type { Kind } from './generated/types.ts'
import { apiVersion, kindInfo, kinds, metadata } from './registry.ts'

/** A JSON Schema (2020-12) for editors and other tools. */
export interface ExportedSchema {
  readonly [keyword: string]: unknown
}

/** The schema of a whole document of one kind, complete in itself. */
export function documentSchema(kind: Kind): ExportedSchema {
  return { $schema: dialect, $id: `${base}${kind}.json`, ...documentShape(kind) }
}

/** File name → schema: one a kind, and `fibric.json` for a document of any kind. */
export function exportSchemas(): ReadonlyMap<string, ExportedSchema> {
  const out = new Map<string, ExportedSchema>(kinds.map(({ kind }) => [`${kind}.json`, documentSchema(kind)]))
  out.set('fibric.json', {
    $schema: dialect,
    $id: `${base}fibric.json`,
    title: 'Fibric document',
    description: 'A document of any kind',
    type: 'object',
    required: ['apiVersion', 'kind', 'metadata'],
    properties: { apiVersion: { const: apiVersion }, kind: { enum: kinds.map(({ kind }) => kind) } },
    // One branch a kind, chosen by the kind, so that an editor never shows the mistakes of other kinds.
    allOf: kinds.map(({ kind }) => ({
      if: { properties: { kind: { const: kind } }, required: ['kind'] },
      // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
      then: { $ref: `#/$defs/${kind}` },
    })),
    $defs: Object.fromEntries(kinds.map(({ kind }) => [kind, documentShape(kind)])),
  })
  return out
}

const dialect = 'https://json-schema.org/draft/2020-12/schema'
const base = 'https://fibric.io/schemas/v1/'

function documentShape(kind: Kind): ExportedSchema {
  const info = kindInfo(kind)
  return {
    title: kind,
    description: info.description,
    type: 'object',
    additionalProperties: false,
    required:
      info.schema.required === undefined
        ? ['apiVersion', 'kind', 'metadata']
        : ['apiVersion', 'kind', 'metadata', 'spec'],
    properties: {
      apiVersion: { description: "Version of the document's format", const: apiVersion },
      kind: { description: info.description, const: kind },
      metadata: forEditors(metadata),
      spec: forEditors(info.schema),
    },
  }
}

/** Without the keywords of ours; formats that only we know become an example in the description. */
function forEditors(schema: FieldSchema): ExportedSchema {
  const { properties, items, propertyNames, additionalProperties, anyOf, format, description, ...rest } = schema
  const own = Object.fromEntries(Object.entries(rest).filter(([key]) => !key.startsWith('x-')))
  const standard = format !== undefined && standardFormats.has(format)
  const example = format === undefined || standard ? undefined : formats[format as keyof typeof formats].example
  return {
    ...own,
    ...(description !== undefined && {
      description: example === undefined ? description : `${description} (like ${example})`,
    }),
    ...(standard && { format }),
    ...(properties && {
      properties: Object.fromEntries(Object.entries(properties).map(([key, value]) => [key, forEditors(value)])),
    }),
    ...(items && { items: forEditors(items) }),
    ...(propertyNames && { propertyNames: forEditors(propertyNames) }),
    ...(anyOf && { anyOf: anyOf.map(forEditors) }),
    ...(additionalProperties !== undefined && {
      additionalProperties:
        typeof additionalProperties === 'boolean' ? additionalProperties : forEditors(additionalProperties),
    }),
  }
}

const standardFormats = new Set(['date-time', 'email'])
