import { advance, enter, type GlobState, globStates } from './glob.ts'

/** Pairs of state sets looked at before giving up; globs people write need a few dozen. */
const pairsMax = 2000

/**
 * Whether every text that `narrower` matches is matched by `wider` too. True is proved; false is also the answer where
 * two contrived patterns would take too long.
 */
export function covers(wider: string, narrower: string): boolean {
  if (wider === '**' || wider === narrower) return true
  const found = findText(wider, narrower, (inWider, inNarrower) => inNarrower && !inWider)
  return found === false
}

/** Whether no text is matched by both. True is proved, as in `covers`. */
export function disjoint(left: string, right: string): boolean {
  return findText(left, right, (inLeft, inRight) => inLeft && inRight) === false
}

/**
 * Whether some text has the wanted relation to both globs: a walk over the pairs of state sets the two automata can be
 * in together. Null when there are too many of them.
 */
function findText(left: string, right: string, wanted: (inLeft: boolean, inRight: boolean) => boolean): boolean | null {
  const leftStates = globStates(left)
  const rightStates = globStates(right)
  const alphabet = alphabetOf(left + right)
  const start: Pair = [started(leftStates), started(rightStates)]
  const seen = new Set<string>([keyOf(start)])
  const queue: Pair[] = [start]
  for (let pair = queue.pop(); pair !== undefined; pair = queue.pop()) {
    const [inLeft, inRight] = pair
    if (wanted(inLeft.has(leftStates.length - 1), inRight.has(rightStates.length - 1))) return true
    for (const character of alphabet) {
      const next: Pair = [advance(leftStates, inLeft, character), advance(rightStates, inRight, character)]
      if (next[0].size === 0 && next[1].size === 0) continue
      const key = keyOf(next)
      if (seen.has(key)) continue
      if (seen.size === pairsMax) return null
      seen.add(key)
      queue.push(next)
    }
  }
  return false
}

type Pair = readonly [Set<number>, Set<number>]

/** Characters that can tell the two apart: those written, the dividers, and one that stands for all others. */
function alphabetOf(text: string): readonly string[] {
  const written = new Set([...text.replaceAll('*', ''), '.', ':', '/'])
  const other = ['\u0000', '\u0001', '\u0002'].find((character) => !written.has(character))
  return other === undefined ? [...written] : [...written, other]
}

function started(states: readonly GlobState[]): Set<number> {
  const set = new Set<number>()
  enter(states, set, 0)
  return set
}

function keyOf([left, right]: Pair): string {
  return `${[...left].sort().join()}|${[...right].sort().join()}`
}
