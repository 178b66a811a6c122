import { Alias, Scalar, YAMLMap, YAMLSeq } from 'yaml'
import type { Span } from './source-text.ts'
import { spanOf } from './yaml-to-json.ts'

export type LocateTarget = 'key' | 'value'

/** How a scalar was written. */
export interface ScalarText {
  readonly plain: boolean
  /** A comment on the scalar's line, without its `#`; null when there is none. */
  readonly comment: string | null
}

/** The span at a JSON pointer below `root`; where the path ends early (a missing field, an alias), what it ended at. */
export function locateNode(root: unknown, pointer: string, target: LocateTarget): Span {
  const { node, key } = walkTo(root, pointer)
  if (target === 'key' && key !== null) return spanOf(key)
  const span = spanOf(node)
  // A missing value has an empty span after its key, a place where nothing is to be seen.
  return span.start === span.end && key !== null ? spanOf(key) : span
}

export function plainScalarAt(root: unknown, pointer: string, text: string): ScalarText | null {
  const { node, complete } = walkTo(root, pointer)
  if (!complete || !(node instanceof Scalar)) return null
  const { end } = spanOf(node)
  const comment = /^[^\S\n]+#([^\n]*)/.exec(text.slice(end, end + 1000))
  return { plain: node.type === 'PLAIN', comment: comment ? comment[1]! : null }
}

function walkTo(root: unknown, pointer: string): { node: unknown; key: unknown; complete: boolean } {
  let node = root
  let key: unknown = null
  for (const segment of pointerSegments(pointer)) {
    if (node instanceof YAMLMap) {
      const pair = node.items.find((item) => item.key instanceof Scalar && item.key.value === segment)
      if (!pair) return { node, key, complete: false }
      key = pair.key
      node = pair.value
    } else if (node instanceof YAMLSeq && /^\d+$/.test(segment) && Number(segment) < node.items.length) {
      node = node.items[Number(segment)]
      key = null
    } else {
      return { node, key, complete: false }
    }
  }
  return { node: node ?? key, key, complete: !(node instanceof Alias) }
}

function pointerSegments(pointer: string): string[] {
  if (pointer === '') return []
  return pointer
    .slice(1)
    .split('/')
    .map((segment) => segment.replaceAll('~1', '/').replaceAll('~0', '~'))
}
