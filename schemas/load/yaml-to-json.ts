import { Alias, Scalar, YAMLMap, YAMLSeq } from 'yaml'
import type { Json } from '../../controller/domain/json.ts'
import type { ParseProblem } from './parse-problem.ts'
import type { Span } from './source-text.ts'

export const nestingDepthMax = 64
/** What a document's aliases may expand to, in characters: as much as a document may be long. */
const expansionMax = 1024 * 1024

interface Anchored {
  readonly value: Json
  /** Levels of nesting inside. */
  readonly height: number
  /** Characters, aliases inside expanded. */
  readonly weight: number
}

/** What one conversion has seen so far. */
interface Walk {
  readonly text: string
  readonly problems: ParseProblem[]
  readonly anchors: Map<string, Anchored | 'open'>
  depth: number
  height: number
  weight: number
  expanded: number
}

/**
 * The JSON value of a YAML node, or undefined where there is none.
 *
 * Everything that JSON could not carry, or that two readers could understand differently, is a problem: duplicate and
 * non-string keys, tags, merge keys, inexact numbers, lone surrogates, aliases that expand past a bound.
 */
export function nodeToJson(node: unknown, text: string, problems: ParseProblem[]): Json | undefined {
  if (node === null || node === undefined) return undefined
  if (node instanceof Scalar && node.source === '' && node.type === 'PLAIN' && !node.tag) return undefined
  return convert(node, { text, problems, anchors: new Map(), depth: 0, height: 0, weight: 0, expanded: 0 })
}

function convert(node: unknown, walk: Walk): Json {
  if (node instanceof Alias) return aliasValue(node, walk)
  if (!(node instanceof Scalar || node instanceof YAMLMap || node instanceof YAMLSeq)) return null
  checkTag(node, walk)
  const anchor = node.anchor
  if (!anchor) return nodeValue(node, walk)
  walk.anchors.set(anchor, 'open')
  const outer = { height: walk.height, weight: walk.weight }
  walk.height = walk.depth
  walk.weight = 0
  const value = nodeValue(node, walk)
  const span = spanOf(node)
  const anchored = { value, height: walk.height - walk.depth, weight: walk.weight + span.end - span.start }
  walk.anchors.set(anchor, anchored)
  walk.height = Math.max(outer.height, walk.height)
  walk.weight = outer.weight + walk.weight
  return value
}

function nodeValue(node: Scalar | YAMLMap | YAMLSeq, walk: Walk): Json {
  if (node instanceof Scalar) return scalarValue(node, walk)
  walk.depth++
  if (walk.depth > walk.height) walk.height = walk.depth
  if (walk.depth > nestingDepthMax) tooDeep(node, walk)
  const value = node instanceof YAMLMap ? mapValue(node, walk) : node.items.map((item) => convert(item, walk))
  walk.depth--
  return value
}

function mapValue(map: YAMLMap, walk: Walk): Json {
  const object: Record<string, Json> = {}
  const seen = new Map<string, Span>()
  for (const { key, value } of map.items) {
    const name = keyName(key, value, map, walk)
    const json = convert(value, walk)
    if (name === null) continue
    const span = spanOf(key)
    const first = seen.get(name)
    if (first) {
      report(walk, 'DUPLICATE_KEY', `the key \`${name}\` appears twice`, span, 'remove one of the two', {
        message: `\`${name}\` first appears here`,
        span: first,
      })
      continue
    }
    seen.set(name, span)
    object[name] = json
  }
  return object
}

function keyName(key: unknown, value: unknown, map: YAMLMap, walk: Walk): string | null {
  const place = key === null ? spanOf(value ?? map) : spanOf(key)
  if (!(key instanceof Scalar) || typeof key.value !== 'string') {
    const shown = key instanceof Scalar && key.source ? `\`${key.source}\`` : 'this'
    const hint = key instanceof Scalar && key.source ? `write "${key.source}"` : 'keys are text'
    report(walk, 'KEY_NOT_TEXT', `${shown} is not text, as every key must be`, place, hint)
    return null
  }
  checkTag(key, walk)
  if (key.anchor) walk.anchors.set(key.anchor, { value: key.value, height: 0, weight: key.value.length })
  if (key.value === '<<' && key.type === 'PLAIN') {
    report(walk, 'MERGE_KEY', 'merge keys (`<<`) are not supported', place, 'write the fields out')
    return null
  }
  if (key.value === '__proto__') {
    report(walk, 'KEY_RESERVED', 'the key `__proto__` is not allowed', place, null)
    return null
  }
  return checkText(key.value, place, walk)
}

function scalarValue(node: Scalar, walk: Walk): Json {
  const { value } = node
  if (typeof value === 'string') return checkText(value, spanOf(node), walk)
  if (value === null || typeof value === 'boolean') return value
  if (typeof value === 'number') {
    const source = node.source ?? String(value)
    if (isExact(source, value)) return value
    const shown = source.length > 60 ? `${source.slice(0, 60)}…` : source
    const hint = Number.isFinite(value) ? `write a number of at most 15 digits, or quote it` : 'quote it if it is text'
    report(walk, 'NUMBER_NOT_EXACT', `JSON cannot carry the number \`${shown}\` exactly`, spanOf(node), hint)
    return 0
  }
  return String(value)
}

/** Whether the number that a double holds is, digit for digit, the one that was written. */
function isExact(source: string, value: number): boolean {
  if (!Number.isFinite(value)) return false
  if (source.length <= 15 && /^-?[0-9.]+$/.test(source)) return true
  if (/^[-+]?0[xo]/.test(source)) return Number.isSafeInteger(value)
  return decimalDigits(source) === decimalDigits(String(value))
}

/** A decimal number as `<sign><digits>e<exponent>`, without leading and trailing zeros. */
function decimalDigits(source: string): string {
  const match = /^([-+]?)(\d*)\.?(\d*)(?:e([-+]?\d+))?$/i.exec(source)
  if (!match) return source
  const [, sign = '', whole = '', fraction = '', exponent = '0'] = match
  const digits = `${whole}${fraction}`.replace(/^0+/, '')
  const trimmed = digits.replace(/0+$/, '')
  if (trimmed === '') return '0'
  return `${sign === '-' ? '-' : ''}${trimmed}e${Number(exponent) - fraction.length + digits.length - trimmed.length}`
}

function aliasValue(alias: Alias, walk: Walk): Json {
  const target = walk.anchors.get(alias.source)
  const span = spanOf(alias)
  if (target === undefined || target === 'open') {
    const message = target
      ? `the alias \`*${alias.source}\` contains itself`
      : `no anchor \`&${alias.source}\` before this`
    report(walk, 'UNKNOWN_ALIAS', message, span, 'quote a value that begins with `*`')
    return null
  }
  walk.expanded += target.weight
  walk.weight += target.weight
  if (walk.expanded > expansionMax) {
    if (walk.expanded !== Number.POSITIVE_INFINITY) {
      report(
        walk,
        'ALIAS_EXPANSION',
        `aliases expand to more than ${expansionMax} characters`,
        span,
        'write the values out',
      )
    }
    walk.expanded = Number.POSITIVE_INFINITY
    return null
  }
  walk.height = Math.max(walk.height, walk.depth + target.height)
  if (walk.depth + target.height > nestingDepthMax) {
    tooDeep(alias, walk)
    return null
  }
  return target.value
}

const coreTags: ReadonlySet<string> = new Set(
  ['str', 'int', 'float', 'bool', 'null', 'map', 'seq'].map((name) => `tag:yaml.org,2002:${name}`),
)

function checkTag(node: Scalar | YAMLMap | YAMLSeq, walk: Walk): void {
  const { tag } = node
  if (!tag || tag === '!' || coreTags.has(tag)) return
  // The range begins after the tag, and what people meant is the tag.
  let start = walk.text.lastIndexOf('!', spanOf(node).start)
  if (walk.text[start - 1] === '!') start--
  const written = /^[^\s,[\]{}]*/.exec(walk.text.slice(start, start + 80))?.[0] ?? tag
  const at = start === -1 ? spanOf(node) : { start, end: start + written.length }
  report(
    walk,
    'UNKNOWN_TAG',
    `the tag \`${written}\` is not part of the core schema`,
    at,
    'quote the value if it is text',
  )
}

function checkText(text: string, span: Span, walk: Walk): string {
  if (text.isWellFormed() && !text.includes('\0')) return text
  const what = text.isWellFormed() ? 'the character U+0000' : 'half of a surrogate pair'
  report(walk, 'TEXT_NOT_CARRIED', `the text contains ${what}, which cannot be stored`, span, 'remove the escape')
  return ''
}

function tooDeep(node: unknown, walk: Walk): void {
  report(walk, 'TOO_DEEP', `nesting is deeper than ${nestingDepthMax} levels`, spanOf(node), null)
}

export function spanOf(node: unknown): Span {
  const range = (node as { range?: readonly number[] | null } | null)?.range
  return range ? { start: range[0]!, end: range[1]! } : { start: 0, end: 0 }
}

function report(
  walk: Walk,
  code: string,
  message: string,
  span: Span,
  hint: string | null,
  related?: { message: string; span: Span },
): void {
  walk.problems.push(related ? { code, message, hint, span, related } : { code, message, hint, span })
}
