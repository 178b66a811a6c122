import type { Verdict } from '../../controller/domain/verdict.ts'

/** A verdict with its reasons, and what would have had to differ. */
export function renderVerdict(subject: string, verdict: Verdict): string {
  const misses = verdict.near_misses.map(
    ({ rule, policy, differs }) => `  near ${policy}#${rule}: ${differs.join('; ')}`,
  )
  return [
    `${verdict.decision.padEnd(5)} ${subject}`,
    ...verdict.reasons.map((reason) => `  ${reason}`),
    ...misses,
  ].join('\n')
}

/** What a command that asks ends with: 3 where the gate refuses, 4 where somebody has to approve. */
export function exitOf({ decision, holds }: Verdict): number {
  if (decision === 'BLOCK') return 3
  return decision === 'ALERT' && holds.some(({ mode }) => mode === 'hold') ? 4 : 0
}
