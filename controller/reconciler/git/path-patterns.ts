/**
 * The pattern language of `.gitignore` and `.gitattributes`, for the built-in client.
 * Source: gitignore(5) and git's wildmatch.c.
 */
export interface PathPattern {
  readonly negated: boolean
  readonly directoryOnly: boolean
  /** Matches a path below the folder the pattern's file lies in. */
  matches(path: string): boolean
}

/** Null for a blank line, a comment, or a pattern that can match nothing. */
export function parsePattern(line: string): PathPattern | null {
  // Trailing spaces count only when escaped.
  let text = line.replace(/\r$/, '').replace(/((?:\\.|[^\\\s])?)[ \t]+$/, '$1')
  if (text === '' || text.startsWith('#')) return null
  const negated = text.startsWith('!')
  if (negated) text = text.slice(1)
  const directoryOnly = text.endsWith('/')
  if (directoryOnly) text = text.slice(0, -1)
  if (text === '') return null
  // A slash in the beginning or middle ties the pattern to its folder; without one any name at any depth matches.
  const anchored = text.includes('/')
  const tokens = tokenize(text.replace(/^\//, ''))
  if (tokens === null) return null
  return {
    negated,
    directoryOnly,
    matches: (path) => matchesAll(tokens, anchored ? path : path.slice(path.lastIndexOf('/') + 1)),
  }
}

/** `folders` is any number of whole folders, `rest` everything that is left. */
type Token =
  | { readonly kind: 'folders' | 'rest' | 'star' }
  | { readonly kind: 'one'; readonly accepts: (char: string) => boolean }

function tokenize(glob: string): Token[] | null {
  const tokens: Token[] = []
  for (let at = 0; at < glob.length; ) {
    const left = glob.slice(at)
    const startsSegment = at === 0 || glob[at - 1] === '/'
    const folders = startsSegment ? /^(\*\*\/)+/.exec(left) : null
    const stars = /^\*+/.exec(left)
    if (folders !== null) {
      tokens.push({ kind: 'folders' })
      at += folders[0].length
    } else if (stars !== null) {
      tokens.push({ kind: startsSegment && left === '**' ? 'rest' : 'star' })
      at += stars[0].length
    } else if (left.startsWith('?')) {
      tokens.push({ kind: 'one', accepts: (char) => char !== '/' })
      at += 1
    } else if (left.startsWith('[')) {
      const bracket = /^\[([!^]?)(\]?(?:\\.|\[:[a-z]+:\]|[^\]\\])*)\]/su.exec(left)
      const set = bracket === null ? null : characterSet(bracket[1] !== '', bracket[2]!)
      if (set === null) return null
      tokens.push({ kind: 'one', accepts: (char) => char !== '/' && set.test(char) })
      at += bracket![0].length
    } else {
      const escaped = left.startsWith('\\')
      const [literal] = escaped ? left.slice(1) : left
      if (literal === undefined) return null
      tokens.push({ kind: 'one', accepts: (char) => char === literal })
      at += literal.length + (escaped ? 1 : 0)
    }
  }
  return tokens
}

/**
 * Keeps every place in the pattern the text so far can have led to, so that time is length by length whatever the pattern.
 * An odd state is inside a folder that `folders` is passing.
 */
function matchesAll(tokens: readonly Token[], text: string): boolean {
  let states = closure(tokens, [0])
  for (const char of text) {
    const next: number[] = []
    for (const state of states) {
      const token = tokens[state >> 1]
      if (token === undefined) continue
      if (token.kind === 'one') {
        if (token.accepts(char)) next.push(state + 2)
      } else if (token.kind === 'star') {
        if (char !== '/') next.push(state)
      } else if (token.kind === 'rest') next.push(state | 1)
      else next.push(char === '/' ? state & ~1 : state | 1)
    }
    if (next.length === 0) return false
    states = closure(tokens, next)
  }
  return states.has(tokens.length * 2) || (tokens.at(-1)?.kind === 'rest' && states.has(tokens.length * 2 - 1))
}

/** What follows without reading anything: stars and folders may be empty. */
function closure(tokens: readonly Token[], from: readonly number[]): Set<number> {
  const states = new Set(from)
  for (const state of states) {
    const kind = tokens[state >> 1]?.kind
    if (state % 2 === 0 && (kind === 'star' || kind === 'folders')) states.add(state + 2)
  }
  return states
}

const classes: { readonly [name: string]: string } = {
  alnum: 'a-zA-Z0-9',
  alpha: 'a-zA-Z',
  blank: ' \\t',
  digit: '0-9',
  lower: 'a-z',
  space: '\\s',
  upper: 'A-Z',
  xdigit: '0-9a-fA-F',
}

/** Null for a set that can hold nothing, such as the range `z-a`. */
function characterSet(negated: boolean, body: string): RegExp | null {
  const source = body.replace(/\[:([a-z]+):\]|\\(.)|([\][\\^&|~{}()])/gsu, (_all, name, escaped, special) =>
    name !== undefined ? (classes[name] ?? '') : (escaped ?? special).replace(/[\^$\\.*+?()[\]{}|/-]/, '\\$&'),
  )
  try {
    return new RegExp(`^[${negated ? '^' : ''}${source}]$`, 's')
  } catch {
    // A set JavaScript cannot read is one that matches nothing.
    return null
  }
}
