/** Ends that are not what was asked for, but no refusal of the gate: a script that asked has to stop. */
const unwelcome: readonly string[] = [
  'failed',
  'manual',
  'unknown',
  'reconciling',
  'expired',
  'superseded',
  'cancelled',
]
const refusals: readonly string[] = ['blocked', 'rejected']

/** The exit code of a command that brought actions to where they stand now; what failed outweighs what was refused or waits. */
export function endedExit(states: readonly string[]): number {
  const any = (some: readonly string[]): boolean => states.some((state) => some.includes(state))
  if (any(unwelcome)) return any(['applied']) ? 7 : 1
  if (any(refusals)) return 3
  return any(['held']) ? 4 : 0
}
