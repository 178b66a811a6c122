import { distance } from 'fastest-levenshtein'

/** The candidate that `input` was probably meant to be, or null when none is close. */
export function closest(input: string, candidates: Iterable<string>): string | null {
  const wanted = fold(input)
  let best: string | null = null
  // A third of the letters may differ, so that short names do not attract everything.
  let bound = Math.max(1, Math.floor(wanted.length / 3)) + 1
  for (const candidate of candidates) {
    const folded = fold(candidate)
    const cost = folded === wanted ? 0 : distance(wanted.slice(0, 64), folded.slice(0, 64))
    if (cost < bound) {
      best = candidate
      bound = cost
    }
  }
  return best
}

/** Case and separators are the commonest slips: `max_delete_percent` means `maxDeletePercent`. */
function fold(text: string): string {
  return text.toLowerCase().replace(/[-_ ]/g, '')
}
