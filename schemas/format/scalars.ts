import { type Document, isScalar, Scalar, type ScalarTag, type Tags, visit } from 'yaml'
import { stringifyString } from 'yaml/util'

/** Quotes where they are needed, or guard what YAML could one day read as something else; the same quotes everywhere. */
export function quoteScalars(document: Document): void {
  visit(document, {
    Scalar(place, node) {
      if (typeof node.value !== 'string') return
      // `on:` is a field of ours, and nobody reads our keys as YAML 1.1.
      node.type = place === 'key' ? Scalar.PLAIN : styleOf(node.value, node.type)
    },
  })
}

/** The core schema's tags, with folded texts (`>`) folded at a readable width while nothing else is. */
export function scalarTags(tags: Tags): Tags {
  return tags.map((tag) => (isStringTag(tag) ? { ...tag, stringify: stringifyText } : tag))
}

const foldWidth = 100

const stringifyText: NonNullable<ScalarTag['stringify']> = (item, context, onComment, onChompKeep) => {
  const folded = isScalar(item) && item.type === Scalar.BLOCK_FOLDED
  const inner = folded ? { ...context, options: { ...context.options, lineWidth: foldWidth } } : context
  return stringifyString(item, { actualString: true, ...inner } as typeof context, onComment, onChompKeep)
}

function isStringTag(tag: Tags[number]): tag is ScalarTag {
  return typeof tag === 'object' && tag.tag === 'tag:yaml.org,2002:str'
}

function styleOf(text: string, written: Scalar.Type | undefined): Scalar.Type {
  if (written === Scalar.BLOCK_FOLDED || written === Scalar.BLOCK_LITERAL) return written
  if (text.includes('\n')) return Scalar.BLOCK_LITERAL
  const quoted = written === Scalar.QUOTE_DOUBLE || written === Scalar.QUOTE_SINGLE
  if (!isRisky(text) && (!quoted || isSimple(text))) return Scalar.PLAIN
  return text.includes('"') && !text.includes("'") ? Scalar.QUOTE_SINGLE : Scalar.QUOTE_DOUBLE
}

/** Nothing in it means anything to YAML, to CEL or in a glob, so that quotes only stand in the way. */
function isSimple(text: string): boolean {
  return /^[\p{L}\p{N}_./@ -]*$/u.test(text)
}

/**
 * Texts that YAML 1.2 would read as text without quotes, and other readers as something else: words and numbers of YAML
 * 1.1 (`on`, `08:00`, `012`), and expressions, which a ` #` added later would cut off.
 */
function isRisky(text: string): boolean {
  return text.includes('${') || yaml11Word.test(text) || yaml11Number.test(text)
}

const yaml11Word = /^(?:y|yes|n|no|on|off)$/i
const yaml11Number = /^[-+]?(?:0b[01_]+|0[0-7_]+|[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?|[0-9][0-9_]*_[0-9_]*)$/
