/** A name and the steps from it: `main~2^2` is `main`, two first parents back, then the second parent. */
export interface Revision {
  readonly name: string
  readonly steps: readonly RevisionStep[]
}

/** Go to parent number `parent`, `times` times; parent 0 is the commit itself. */
export interface RevisionStep {
  readonly parent: number
  readonly times: number
}

/**
 * Reads the revisions both implementations understand: a name or sha with any number of `~n` and `^n`.
 * Null for the rest of git's grammar (`@{1}`, `:/text`, `a..b`) and for anything that could pass as an option.
 */
export function parseRevision(text: string): Revision | null {
  const match = /^([^\s~^:?*[\\\p{Cc}]{1,250})((?:[~^]\d{0,6}){0,50})$/u.exec(text)
  if (match === null) return null
  const name = match[1] === '@' ? 'HEAD' : match[1]!
  if (name.startsWith('-') || name.includes('..') || name.includes('@{')) return null
  if (name.startsWith('/') || name.endsWith('/') || name.endsWith('.lock')) return null
  const steps = [...match[2]!.matchAll(/([~^])(\d*)/g)].map(([, sign, digits]) => {
    const count = digits === '' ? 1 : Number(digits)
    return sign === '~' ? { parent: 1, times: count } : { parent: count, times: 1 }
  })
  return { name, steps }
}

export function formatRevision(revision: Revision): string {
  return (
    revision.name + revision.steps.map((step) => (step.parent === 1 ? `~${step.times}` : `^${step.parent}`)).join('')
  )
}
