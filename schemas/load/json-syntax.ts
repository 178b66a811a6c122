import type { ParseProblem } from './parse-problem.ts'

const whiteSpace = /[ \t\n\r]*/y
// Control characters were refused when the bytes were decoded.
const string = /"(?:[^"\\\n\t]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y
const scalar = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?|true|false|null/y

/**
 * The first place where a text is not JSON (RFC 8259), or null.
 *
 * `JSON.parse` knows it too, and tells it in words that change between engines, often without a position.
 */
export function jsonSyntaxProblem(text: string): ParseProblem | null {
  let at = 0
  const skip = (pattern: RegExp): boolean => {
    pattern.lastIndex = at
    if (!pattern.test(text)) return false
    at = pattern.lastIndex
    return true
  }
  const skipText = (expected: string): boolean => {
    if (!text.startsWith(expected, at)) return false
    at += expected.length
    return true
  }
  /** What may come next; `open` are the brackets around it. */
  let state: 'value' | 'first item' | 'first key' | 'key' | 'after' = 'value'
  const open: ('[' | '{')[] = []
  while (true) {
    skip(whiteSpace)
    if (state === 'after') {
      const around = open.at(-1)
      if (around === undefined) return at === text.length ? null : problemAt(text, at)
      if (skipText(',')) state = around === '[' ? 'value' : 'key'
      else if (skipText(around === '[' ? ']' : '}')) open.pop()
      else return problemAt(text, at)
    } else if (state === 'first key' || state === 'key') {
      if (state === 'first key' && skipText('}')) {
        open.pop()
        state = 'after'
        continue
      }
      if (!skip(string)) return problemAt(text, at)
      skip(whiteSpace)
      if (!skipText(':')) return problemAt(text, at)
      state = 'value'
    } else if (state === 'first item' && skipText(']')) {
      open.pop()
      state = 'after'
    } else if (skipText('{')) {
      open.push('{')
      state = 'first key'
    } else if (skipText('[')) {
      open.push('[')
      state = 'first item'
    } else if (skip(string) || skip(scalar)) {
      state = 'after'
    } else {
      return problemAt(text, at)
    }
  }
}

function problemAt(text: string, at: number): ParseProblem {
  const ended = at >= text.length
  const start = ended ? text.trimEnd().length : at
  const found = String.fromCodePoint(text.codePointAt(start) ?? 0)
  return {
    code: 'JSON_SYNTAX',
    message: ended ? 'the JSON text ends early' : `unexpected \`${found}\` in JSON`,
    hint: 'JSON has no comments, trailing commas or unquoted keys; name the file `.yaml` to use them',
    span: { start, end: start + 1 },
  }
}
