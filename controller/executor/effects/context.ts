import type { Database } from '../../store/connect.ts'
import type { EffectConnector } from './connector.ts'
import type { RulesCache } from './rules-cache.ts'
import type { Versions } from './versions.ts'

/** What every part of the executor of effects works with. */
export interface ExecutorContext {
  readonly database: Database
  readonly connector: EffectConnector
  readonly clock: () => Date
  readonly rules: RulesCache
  readonly versions: Versions
  readonly settings: ExecutorSettings
  /** Told of what went wrong and will be tried again. */
  readonly onFailure: (error: unknown, doing: string) => void
}

export interface ExecutorSettings {
  /** Effects in flight at a time in this process: what a kill leaves in doubt at most. */
  readonly maxInFlight: number
  readonly maxBlindInFlight: number
  /** Added to a tool's timeout for its lease; half of it is left when the deadline comes. */
  readonly leaseMarginMs: number
  /** Attempts not done in a row that open a connection's breaker. */
  readonly breakerAfter: number
  /** Backoff before an attempt, by how many there were. */
  readonly backoffMs: (attempts: number) => number
  readonly idleMs: number
  /** For how long a look at the queue is good while something is under way; ten times as long while nothing is. */
  readonly lookMs: number
  readonly recoverEveryMs: number
  /** How long a hold lasts whose rule does not say. */
  readonly approvalsExpireInMs: number
}
