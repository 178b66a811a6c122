/** What each exit code means; stable, and all there are. */
export const exitCodes = [
  { code: 0, meaning: 'done, or no changes' },
  { code: 1, meaning: 'failed' },
  { code: 2, meaning: 'changes present, only with `--detailed-exitcode`' },
  { code: 3, meaning: 'refused by the trust gate' },
  { code: 4, meaning: 'waiting for approval' },
  { code: 5, meaning: 'invalid configuration' },
  { code: 6, meaning: 'a stale or altered plan, or a lock that another holds' },
  { code: 7, meaning: 'partly applied' },
  { code: 8, meaning: 'a brake tripped' },
  { code: 64, meaning: 'wrong usage' },
  { code: 130, meaning: 'interrupted' },
] as const
