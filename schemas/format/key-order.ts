import { type Document, isAlias, isMap, isScalar, type Pair, visit, type YAMLMap } from 'yaml'
import { isJsonObject, type Json, type JsonObject } from '../../controller/domain/json.ts'

const documentKeys = ['apiVersion', 'kind', 'metadata', 'spec']
const metadataKeys = ['name', 'tenant', 'previously', 'labels', 'annotations']

/** Brings the keys of the envelope into their order. A spec stays as its author arranged it: order there tells a story. */
export function orderEnvelope(document: Document): void {
  const { contents } = document
  // An alias must stay behind its anchor.
  if (!isMap(contents) || hasAlias(document)) return
  orderMap(contents, documentKeys)
  const metadata = contents.get('metadata')
  if (isMap(metadata)) orderMap(metadata, metadataKeys)
}

export function envelopeOrder(value: Json): Json {
  if (!isJsonObject(value)) return value
  const ordered = orderObject(value, documentKeys)
  const { metadata } = ordered
  return isJsonObject(metadata) ? { ...ordered, metadata: orderObject(metadata, metadataKeys) } : ordered
}

function orderMap(map: YAMLMap, keys: readonly string[]): void {
  const [first] = map.items
  const sorted = map.items.toSorted((a, b) => rank(nameOf(a), keys) - rank(nameOf(b), keys))
  if (sorted.every((pair, index) => pair === map.items[index])) return
  // A blank line that stood between two keys means nothing once another key comes first.
  const spaced = first?.key as { spaceBefore?: boolean } | undefined
  map.items = sorted
  const newFirst = sorted[0]?.key as { spaceBefore?: boolean } | undefined
  if (newFirst?.spaceBefore && newFirst !== spaced) newFirst.spaceBefore = false
}

function orderObject(object: JsonObject, keys: readonly string[]): JsonObject {
  return Object.fromEntries(Object.entries(object).sort(([a], [b]) => rank(a, keys) - rank(b, keys)))
}

function rank(name: string, keys: readonly string[]): number {
  const index = keys.indexOf(name)
  return index === -1 ? keys.length : index
}

function nameOf({ key }: Pair): string {
  return isScalar(key) ? String(key.value) : ''
}

function hasAlias(document: Document): boolean {
  let found = false
  visit(document, (_, node) => {
    if (!isAlias(node)) return undefined
    found = true
    return visit.BREAK
  })
  return found
}
