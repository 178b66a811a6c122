import { RE2JS } from 're2js'

/** A compiled RE2 pattern: linear time whatever the text, so tenants may write it. */
export interface Re2 {
  readonly pattern: string
  /** Whether the pattern is found anywhere in `text`. */
  test(text: string): boolean
}

/** Longest pattern taken; a program grows with the pattern, and matching costs program × text. */
export const patternLengthMax = 1024

const cacheSizeMax = 1000
const cache = new Map<string, Re2>()

/** Compiles an RE2 pattern (kept in a bounded cache). Throws an `Error` whose message says what is wrong with it. */
export function compileRe2(pattern: string): Re2 {
  const known = cache.get(pattern)
  if (known !== undefined) return known
  if (pattern.length > patternLengthMax) {
    throw new Error(`pattern of ${pattern.length} characters, over ${patternLengthMax}`)
  }
  const program = RE2JS.compile(pattern)
  const compiled: Re2 = { pattern, test: (text) => program.test(text) }
  if (cache.size >= cacheSizeMax) cache.delete(cache.keys().next().value as string)
  cache.set(pattern, compiled)
  return compiled
}
