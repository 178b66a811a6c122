import {
  type Document,
  isAlias,
  isCollection,
  isNode,
  isPair,
  isScalar,
  type Node,
  type Scalar,
  visit,
  type YAMLMap,
  type YAMLSeq,
} from 'yaml'

/** Columns that a collection in braces or brackets may reach before it gets a line an item. */
const widthMax = 120

/** Breaks what is too wide for one line, or has comments inside; the rest in braces and brackets fits on one line. */
export function layCollections(document: Document): void {
  visit(document, {
    Collection(key, node, path) {
      if (path.length > 1) withoutLeadingBlank(node)
      else node.flow = false
      if (!node.flow || node.items.length === 0) return
      const start = indentOf(path) + keyWidth(key, path)
      if (hasComments(node) || start + oneLineWidth(node) > widthMax) node.flow = false
    },
  })
}

/** A blank line between a key and what belongs to it. */
function withoutLeadingBlank(collection: YAMLMap | YAMLSeq): void {
  const [first] = collection.items
  const node = isPair(first) ? first.key : first
  if (isNode(node) && 'spaceBefore' in node) (node as { spaceBefore?: boolean }).spaceBefore = false
  if (collection.spaceBefore) collection.spaceBefore = false
}

/** Two columns for every block collection around it but the outermost. */
function indentOf(path: readonly unknown[]): number {
  const blocks = path.filter((step) => isCollection(step) && !(step as YAMLMap | YAMLSeq).flow)
  return Math.max(0, blocks.length - 1) * 2
}

/** `key: ` in a map, `- ` in a list. */
function keyWidth(key: unknown, path: readonly unknown[]): number {
  const parent = path.at(-1)
  if (!isPair(parent)) return 2
  return key === 'value' && isScalar(parent.key) ? String(parent.key.value).length + 2 : 0
}

/** The width it will have: scalars have their quotes already. */
function oneLineWidth(node: unknown): number {
  if (isAlias(node)) return node.source.length + 1
  if (isScalar(node)) return scalarWidth(node)
  if (!isCollection(node)) return 0
  const widths = node.items.map((item) =>
    isPair(item) ? oneLineWidth(item.key) + 2 + oneLineWidth(item.value) : oneLineWidth(item),
  )
  return widths.reduce((sum, width) => sum + width + 2, 0)
}

function scalarWidth({ value, source, type }: Scalar): number {
  if (typeof value !== 'string') return String(source).length
  return type === 'PLAIN' ? value.length : value.length + 2
}

function hasComments(collection: Node): boolean {
  let found = false
  visit(collection, (_, node) => {
    if (!isNode(node) || !(node.comment || node.commentBefore) || node === collection) return undefined
    found = true
    return visit.BREAK
  })
  return found || (isCollection(collection) && collection.items.length > 0 && commentAtEnd(collection))
}

/** A comment behind the last item belongs to the collection; one behind the closing bracket stands on its line. */
function commentAtEnd(collection: Node): boolean {
  const { comment, range } = collection
  return Boolean(comment) && Boolean(range) && range![1] === range![2]
}
