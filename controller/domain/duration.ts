const unitMs = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 } as const

/** Milliseconds of a duration such as `90s`, `1h30m` or `7d`; null when it is none. */
export function parseDurationMs(text: string): number | null {
  if (!/^(\d{1,9}(ms|s|m|h|d|w))+$/.test(text)) return null
  let total = 0
  for (const [, amount, unit] of text.matchAll(/(\d+)(ms|s|m|h|d|w)/g)) {
    total += Number(amount) * unitMs[unit as keyof typeof unitMs]
  }
  return total
}
