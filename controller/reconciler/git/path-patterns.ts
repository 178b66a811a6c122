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
  let text = bytesOf(line.replace(/\r$/, '')).replace(/((?:\\.|[^\\\s])?)[ \t]+$/, '$1')
  if (text === '' || text.startsWith('#')) return null
  const negated = text.startsWith('!')
  if (negated) text = text.slice(1)
  const directoryOnly = text.endsWith('/')
  if (directoryOnly) text = text.slice(0, -1)
  if (text === '') return null
  // A slash in the beginning or middle ties the pattern to its folder; without one any name at any depth matches.
  const anchored = text.includes('/')
  const tokens = tokenize(text.replace(/^\//, ''), anchored)
  if (tokens === null) return null
  return {
    negated,
    directoryOnly,
    matches: (path) => matchesAll(tokens, bytesOf(anchored ? path : path.slice(path.lastIndexOf('/') + 1))),
  }
}

/** git compares bytes: `?` is one of them, half an `é`. Here each is a character of its own. */
function bytesOf(text: string): string {
  return /[^\x20-\x7e]/.test(text) ? Buffer.from(text, 'utf8').toString('latin1') : text
}

/** `folders` is any number of whole folders, `rest` everything that is left. */
type Token = { readonly kind: 'folders' | 'rest' | 'star' } | { readonly kind: 'one'; readonly accepts: Accepts }

function tokenize(glob: string, anchored: boolean): Token[] | null {
  const tokens: Token[] = []
  // git compares the beginning without wildcards first and takes what follows for a pattern of its own: two stars
  // right after it count as if a folder began there.
  const plain = anchored ? /^[^*?[\\]*/.exec(glob)![0].length : 0
  for (let at = 0; at < glob.length; ) {
    const left = glob.slice(at)
    const startsSegment = at === plain || glob[at - 1] === '/'
    const folders = startsSegment ? /^(\*{2,}\/)+/.exec(left) : null
    const stars = /^\*+/.exec(left)
    if (folders !== null) {
      tokens.push({ kind: 'folders' })
      at += folders[0].length
    } else if (stars !== null) {
      tokens.push({ kind: startsSegment && /^\*{2,}$/.test(left) ? 'rest' : 'star' })
      at += stars[0].length
    } else if (left.startsWith('?')) {
      tokens.push({ kind: 'one', accepts: (char) => char !== '/' })
      at += 1
    } else if (left.startsWith('[')) {
      const bracket = /^\[([!^]?)(\]?(?:\\.|\[:[a-z]+:\]|[^\]\\])*)\]/s.exec(left)
      const set = bracket === null ? null : characterSet(bracket[2]!)
      if (set === null) return null
      const negates = bracket![1] !== ''
      tokens.push({ kind: 'one', accepts: (char) => char !== '/' && set(char) !== negates })
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
      } else if (token.kind === 'rest') next.push(state)
      else next.push(char === '/' ? state & ~1 : state | 1)
    }
    if (next.length === 0) return false
    states = closure(tokens, next)
  }
  return states.has(tokens.length * 2)
}

/** What follows without reading anything: all but single characters may be empty. */
function closure(tokens: readonly Token[], from: readonly number[]): Set<number> {
  const states = new Set(from)
  for (const state of states) {
    const token = tokens[state >> 1]
    if (state % 2 === 0 && token !== undefined && token.kind !== 'one') states.add(state + 2)
  }
  return states
}

type Accepts = (char: string) => boolean

const classes: ReadonlyMap<string, RegExp> = new Map([
  ['alnum', /[a-zA-Z0-9]/],
  ['alpha', /[a-zA-Z]/],
  ['blank', /[ \t]/],
  ['digit', /[0-9]/],
  ['lower', /[a-z]/],
  ['punct', /[!-/:-@[-`{-~]/],
  ['space', /[ \t\n\v\f\r]/],
  ['upper', /[A-Z]/],
  ['xdigit', /[0-9a-fA-F]/],
])

/** What is between brackets: characters, ranges (backwards ones are empty) and classes; null when a class is unknown. */
function characterSet(body: string): Accepts | null {
  const members: Accepts[] = []
  for (const [, name, from, to] of body.matchAll(/\[:([a-z]+):\]|(\\.|[^\\])(?:-(\\.|[^\\]))?/gs)) {
    if (name === undefined) {
      const [low, high] = [from!.at(-1)!, (to ?? from!).at(-1)!]
      members.push((char) => low <= char && char <= high)
      continue
    }
    const known = classes.get(name)
    if (known === undefined) return null
    members.push((char) => known.test(char))
  }
  return (char) => members.some((accepts) => accepts(char))
}
