import type { Count } from '../../store/claims.ts'
import type { AttemptFacts, Effect } from './effect.ts'
import { countsOf, type Subject } from './judge.ts'

/** What an attempt has counted, and gives back when it turns out not to have happened. */
export function reservedBy(effect: Effect, attempt: AttemptFacts | null): Count[] {
  const reserved = attempt?.reserved
  if (!reserved) return []
  const { action, envelope } = effect.row.gate_input as unknown as Pick<Subject, 'action' | 'envelope'>
  return countsOf(action, envelope, reserved.minute, reserved.entity)
}
