import type { ActionId, TenantId } from '../../domain/ids.ts'
import type { DueRow } from '../../store/effect-queue.ts'
import type { ExecutorSettings } from './context.ts'
import { type Effect, effectOf } from './effect.ts'
import type { Taken } from './take-on.ts'

/** Of the places of a process that serves several domains, what one of them may have. */
export const shareMax = 0.75

interface InFlight {
  readonly taken: Taken
  readonly abort: AbortController
  readonly sinceMs: number
}

/** The places of one process for actions in flight: which are free, and who gets them. */
export class Places {
  readonly #settings: ExecutorSettings
  readonly #inFlight = new Map<ActionId, InFlight>()
  /** About to be claimed: in flight, should they be granted. */
  readonly #kept = new Map<ActionId, Effect>()
  readonly #served = new Set<TenantId>()
  readonly #waiters: (() => void)[] = []

  constructor(settings: ExecutorSettings) {
    this.#settings = settings
  }

  get free(): number {
    return this.#settings.maxInFlight - this.#inFlight.size - this.#kept.size
  }

  get areAllFree(): boolean {
    return this.#inFlight.size === 0 && this.#kept.size === 0
  }

  get inFlight(): ReadonlyMap<ActionId, InFlight> {
    return this.#inFlight
  }

  /**
   * Keeps places for those of some actions that may have one. A killed process leaves few doubts that only a person can
   * settle; and where several domains are served, one whose provider hangs leaves places to the others.
   */
  keep(rows: readonly DueRow[]): DueRow[] {
    const { maxInFlight, maxBlindInFlight } = this.#settings
    const busy = [...[...this.#inFlight.values()].map(({ taken }) => taken.effect), ...this.#kept.values()]
    let blind = maxBlindInFlight - busy.filter(({ facts }) => facts.class === 'blind').length
    for (const { tenant_id } of rows) this.#served.add(tenant_id)
    const share = this.#served.size > 1 ? Math.ceil(maxInFlight * shareMax) : maxInFlight
    const places = new Map<TenantId, number>()
    for (const { row } of busy) places.set(row.tenant_id, (places.get(row.tenant_id) ?? 0) + 1)
    const kept = rows.slice(0, Math.max(0, this.free)).filter((row) => {
      const taken = places.get(row.tenant_id) ?? 0
      if (taken >= share) return false
      if (row.state !== 'unknown' && row.effect.class === 'blind' && blind-- <= 0) return false
      places.set(row.tenant_id, taken + 1)
      return true
    })
    for (const row of kept) this.#kept.set(row.action_id, effectOf(row))
    return kept
  }

  /** They were not granted, or have started by now. */
  giveBack(rows: readonly Pick<DueRow, 'action_id'>[]): void {
    for (const { action_id } of rows) this.#kept.delete(action_id)
    this.tell()
  }

  start(taken: Taken): AbortSignal {
    const abort = new AbortController()
    this.#inFlight.set(taken.effect.row.action_id, { taken, abort, sinceMs: performance.now() })
    return abort.signal
  }

  end({ effect }: Taken): void {
    this.#inFlight.delete(effect.row.action_id)
    this.tell()
  }

  /** Resolves when a place may have become free, or after some time. */
  untilFreed(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms)
      this.#waiters.push(() => {
        clearTimeout(timer)
        resolve()
      })
    })
  }

  /** Whoever waits for a place looks again. */
  tell(): void {
    for (const look of this.#waiters.splice(0)) look()
  }
}
