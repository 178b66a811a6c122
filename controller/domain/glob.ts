/**
 * Our globs, over segments divided by `.`, `:` or `/` (capabilities, entity keys, addresses):
 *
 * - `*` alone in its segment is exactly one segment that is not empty; inside a segment (`order-*`) any part of it,
 *   which may be empty. It never crosses a divider.
 * - `**` alone in its segment is any number of segments, none included: `config.**` matches `config`, `config.user` and
 *   `config.user.create`; `**` by itself matches everything. Elsewhere (`a**`) it is `*`.
 * - A divider matches itself only: `a.b` is not `a:b`. There is no escape: keys carry `*` and dividers percent-encoded.
 *
 * Matching is linear in the text for every pattern, so tenants may write them.
 */
export interface Glob {
  readonly pattern: string
  matches(text: string): boolean
}

/** A glob as a small automaton: what `matches`, `covers` and `disjoint` all read. */
export interface GlobState {
  /** Characters on which the state stays: none, any but a divider, or any. */
  readonly loop: 'none' | 'segment' | 'any'
  /** The character that leads on, or `segment` for any but a divider. */
  readonly step: { readonly on: string | typeof segment; readonly to: number } | null
  /** States that are reached without a character. */
  readonly skips: readonly number[]
}

const segment = Symbol('any character but a divider')

export function isDivider(character: string): boolean {
  return character === '.' || character === ':' || character === '/'
}

/** Compiles a glob (kept in a bounded cache). */
export function compileGlob(pattern: string): Glob {
  const known = cache.get(pattern)
  if (known !== undefined) return known
  const glob: Glob = { pattern, matches: matcherOf(pattern) }
  if (cache.size >= cacheSizeMax) cache.delete(cache.keys().next().value as string)
  cache.set(pattern, glob)
  return glob
}

export function isLiteralGlob(pattern: string): boolean {
  return !pattern.includes('*')
}

/** The automaton of a pattern: it starts in state 0 and accepts in the last one. */
export function globStates(pattern: string): readonly GlobState[] {
  const states: GlobState[] = []
  const pieces = collapsed(pattern).split(/([.:/])/)
  let divider: string | null = null
  for (let index = 0; index < pieces.length; index += 2) {
    const piece = pieces[index]!
    const following = pieces[index + 1] ?? null
    if (piece !== '**') {
      if (divider !== null) literal(divider)
      if (piece === '*') push({ loop: 'none', step: { on: segment, to: states.length + 1 }, skips: [] })
      for (const character of piece.replace(/\*+/g, '*')) {
        if (character === '*') push({ loop: 'segment', step: null, skips: [states.length + 1] })
        else literal(character)
      }
      divider = following
    } else if (divider !== null || following === null) {
      if (divider !== null)
        push({ loop: 'none', step: { on: divider, to: states.length + 1 }, skips: [states.length + 2] })
      push({ loop: 'any', step: null, skips: [states.length + 1] })
      divider = following
    } else {
      // Leading: without a segment in its place, the divider behind it goes too.
      push({ loop: 'none', step: null, skips: [states.length + 1, states.length + 2] })
      push({ loop: 'any', step: { on: following, to: states.length + 1 }, skips: [] })
      divider = null
    }
  }
  push({ loop: 'none', step: null, skips: [] })
  return states

  function literal(character: string): void {
    push({ loop: 'none', step: { on: character, to: states.length + 1 }, skips: [] })
  }
  function push(state: GlobState): void {
    states.push(state)
  }
}

/** At the beginning `**.**` is `**`: the first takes all there is, and the second goes with the divider before it. */
function collapsed(pattern: string): string {
  return pattern.replace(/^\*\*(?:[.:/]\*\*)+(?![^.:/])/, '**')
}

/** Adds `state` and what it reaches without a character to a set of states. */
export function enter(states: readonly GlobState[], set: Set<number>, state: number): void {
  if (set.has(state)) return
  set.add(state)
  for (const skip of states[state]!.skips) enter(states, set, skip)
}

/** The states after one more character. */
export function advance(states: readonly GlobState[], set: ReadonlySet<number>, character: string): Set<number> {
  const next = new Set<number>()
  const divides = isDivider(character)
  for (const index of set) {
    const { loop, step } = states[index]!
    if (loop === 'any' || (loop === 'segment' && !divides)) enter(states, next, index)
    if (step !== null && (step.on === character || (step.on === segment && !divides))) enter(states, next, step.to)
  }
  return next
}

const cacheSizeMax = 10_000
const cache = new Map<string, Glob>()

/** Most patterns are a literal, everything, or a literal with one star at its end: those cost a comparison. */
function matcherOf(written: string): (text: string) => boolean {
  if (isLiteralGlob(written)) return (text) => text === written
  const pattern = collapsed(written)
  if (pattern === '**') return () => true
  const star = pattern.indexOf('*')
  const head = pattern.slice(0, star)
  const tail = pattern.slice(star)
  const open = head === '' || isDivider(head.at(-1)!)
  if (tail === '**' && open) {
    const bare = head.slice(0, -1)
    return (text) => text.startsWith(head) || text === bare
  }
  if (tail === '*') {
    const least = head.length + (open ? 1 : 0)
    return (text) => text.length >= least && text.startsWith(head) && !divided(text, head.length)
  }
  const states = globStates(pattern)
  const accepting = states.length - 1
  return (text) => {
    let set = new Set<number>()
    enter(states, set, 0)
    for (const character of text) {
      set = advance(states, set, character)
      if (set.size === 0) return false
    }
    return set.has(accepting)
  }
}

function divided(text: string, from: number): boolean {
  for (let index = from; index < text.length; index++) {
    if (isDivider(text[index]!)) return true
  }
  return false
}
