import { canonicalJson } from './canonical-json.ts'
import type { ExpressionNames } from './expression.ts'
import { type CompiledExpression, compileExpression, ExpressionError, evaluate } from './expression.ts'
import type { Json } from './json.ts'

/** Text with expressions in it: `order:${args.order_id}`. */
export type Template = readonly TemplatePart[]
export type TemplatePart = string | EmbeddedExpression

export interface EmbeddedExpression {
  readonly source: string
  /** Where the source begins in the template's text, in UTF-16 code units. */
  readonly offset: number
}

export interface TemplateProblem {
  readonly message: string
  readonly offset: number
  readonly length: number
  readonly hint: string | null
}

/** Where a rendered text goes: what may stand there, and how a value is encoded for it. */
export type TemplatePlace = 'path' | 'query' | 'header' | 'host' | 'key' | 'json' | 'text'

/**
 * Splits a text at its `${ … }`. The end of an expression is found by CEL's own tokens, so a brace or quote inside a
 * string or a map ends nothing; `$${` is a literal `${`. The expressions are not parsed here.
 */
export function parseTemplate(text: string): { parts: Template } | { problem: TemplateProblem } {
  const parts: TemplatePart[] = []
  let literal = ''
  let at = 0
  while (at < text.length) {
    const dollar = text.indexOf('$', at)
    if (dollar < 0) break
    literal += text.slice(at, dollar)
    if (text.startsWith('$${', dollar)) {
      literal += '${'
      at = dollar + 3
    } else if (text.startsWith('${', dollar)) {
      const end = endOfExpression(text, dollar + 2)
      if (end < 0) return { problem: problem('`${` without its `}`', dollar, 2, 'write $${ for a literal ${') }
      const source = text.slice(dollar + 2, end)
      if (source.trim() === '') return { problem: problem('`${}` holds no expression', dollar, end + 1 - dollar, null) }
      if (literal !== '') parts.push(literal)
      literal = ''
      parts.push({ source, offset: dollar + 2 })
      at = end + 1
    } else {
      literal += '$'
      at = dollar + 1
    }
  }
  literal += text.slice(at)
  if (literal !== '' || parts.length === 0) parts.push(literal)
  return { parts }
}

export function isLiteral(template: Template): boolean {
  return template.every((part) => typeof part === 'string')
}

/**
 * The text (or value) a template stands for. Throws an `ExpressionError` when an expression fails or its value may not
 * stand in `place`.
 *
 * - `json`, `text`: a template that is exactly one expression keeps the value's type; in a larger text a list or map is
 *   its canonical JSON.
 * - `query`, `header`: ready to be put behind `name=` or `name: `; exactly one expression that is null gives null (leave
 *   the parameter out).
 * - `path`, `host`, `key`: always text. A path value is one segment, a host value one DNS label.
 */
export function renderTemplate(template: Template, names: ExpressionNames, place: TemplatePlace): Json {
  const [only] = template
  if (template.length === 1 && only !== undefined && typeof only !== 'string') {
    const value = evaluate(compileExpression(only.source), names)
    if (place === 'json' || place === 'text') return value
    if (value === null && (place === 'query' || place === 'header')) return null
    return finished(encode(value, place, only), place)
  }
  let text = ''
  for (const part of template) {
    if (typeof part === 'string') text += place === 'query' ? encodeURIComponent(part) : part
    else text += encode(evaluate(compileExpression(part.source), names), place, part)
  }
  return finished(text, place)
}

/** Compiles every expression of a template; the problem of the first that does not parse has its place in the text. */
export function compileTemplate(template: Template): TemplateProblem | readonly CompiledExpression[] {
  const compiled: CompiledExpression[] = []
  for (const part of template) {
    if (typeof part === 'string') continue
    try {
      compiled.push(compileExpression(part.source))
    } catch (error) {
      if (!(error instanceof ExpressionError)) throw error
      return problem(error.message, part.offset + error.offset, error.length, error.hint)
    }
  }
  return compiled
}

/** The index of the `}` that ends the expression beginning at `start`, or -1. Follows the strings, comments and braces of CEL. */
function endOfExpression(text: string, start: number): number {
  let depth = 0
  for (let at = start; at < text.length; at++) {
    const character = text[at]
    if (character === '{') depth++
    else if (character === '}' && depth-- === 0) return at
    else if (character === '"' || character === "'") {
      at = endOfString(text, at)
      if (at < 0) return -1
    } else if (character === '/' && text[at + 1] === '/') {
      at = text.indexOf('\n', at)
      if (at < 0) return -1
    }
  }
  return -1
}

/** The index of the last quote of the string that opens at `start`, or -1; raw strings end like the others. */
function endOfString(text: string, start: number): number {
  const quote = text[start]!
  const tripled = quote.repeat(3)
  const closing = text.startsWith(tripled, start) ? tripled : quote
  for (let at = start + closing.length; at < text.length; at++) {
    if (text[at] === '\\') at++
    else if (closing === quote && text[at] === '\n') return -1
    else if (text.startsWith(closing, at)) return at + closing.length - 1
  }
  return -1
}

function encode(value: Json, place: TemplatePlace, part: EmbeddedExpression): string {
  const text = asText(value, place, part)
  switch (place) {
    case 'json':
    case 'text':
      return text
    case 'query':
      return percentEncoded(text, part)
    case 'header':
      if (hasControl(text)) throw refusal(part, 'holds a control character, which a header cannot carry')
      return text.replace(/[^\x20-\x7e]+/gu, (characters) => percentEncoded(characters, part))
    case 'key':
      return text.replace(/[.:*/%]|\p{Cc}/gu, (character) => percentByte(character))
    case 'path':
      if (text === '' || text === '.' || text === '..') throw refusal(part, `is \`${text}\`, which is no path segment`)
      if (/[/\\]/.test(text) || hasControl(text)) throw refusal(part, 'holds `/`, `\\` or a control character')
      return percentEncoded(text, part)
    case 'host':
      if (!/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/i.test(text)) throw refusal(part, `is not a single DNS label`)
      return text.toLowerCase()
  }
}

function asText(value: Json, place: TemplatePlace, part: EmbeddedExpression): string {
  switch (typeof value) {
    case 'string':
      if (!value.isWellFormed()) throw refusal(part, 'holds half a surrogate pair')
      return value
    case 'number':
    case 'boolean':
      return canonicalJson(value)
    default:
      if (value !== null && (place === 'json' || place === 'text')) return canonicalJson(value)
      throw refusal(
        part,
        `is ${value === null ? 'null' : Array.isArray(value) ? 'a list' : 'a map'}, which cannot stand here`,
      )
  }
}

/** What a whole text must keep, whatever its parts were: `.` beside `${x}` must not become `..`. */
function finished(text: string, place: TemplatePlace): string {
  if (place === 'path' && /(^|\/)\.{1,2}($|\/|\?)/.test(text)) {
    throw new ExpressionError({ message: `path \`${text}\` has a dot segment`, offset: 0, length: 1, hint: null })
  }
  return text
}

function percentEncoded(text: string, part: EmbeddedExpression): string {
  if (!text.isWellFormed()) throw refusal(part, 'holds half a surrogate pair')
  return encodeURIComponent(text)
}

function percentByte(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`
}

function hasControl(text: string): boolean {
  return /\p{Cc}/u.test(text)
}

function refusal(part: EmbeddedExpression, why: string): ExpressionError {
  const message = `the value of \`\${${part.source}}\` ${why}`
  return new ExpressionError({ message, offset: part.offset, length: part.source.length, hint: null })
}

function problem(message: string, offset: number, length: number, hint: string | null): TemplateProblem {
  return { message, offset, length, hint }
}
