import { FibricError } from '../controller/domain/errors.ts'
import { durationMs } from '../schemas/index.ts'

/** Milliseconds of a duration somebody typed. */
export function durationOf(text: string): number {
  const duration = durationMs(text)
  if (duration !== null && duration > 0) return duration
  throw new FibricError('USAGE', `\`${text}\` is no duration`, { hint: 'write it as 30d, 12h or 15m' })
}
