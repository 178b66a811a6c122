import type { ActionId, TenantId } from '../../domain/ids.ts'
import type { DueRow } from '../../store/effect-queue.ts'
import type { ExecutorSettings } from './context.ts'
import { effectOf } from './effect.ts'
import type { Taken } from './take-on.ts'

/** Of the places of a process that serves several domains, what one of them may have. */
export const shareMax = 0.75

interface InFlight {
  readonly taken: Taken
  readonly abort: AbortController
  readonly sinceMs: number
}

/** Places that are kept for actions about to be claimed, until they are given back. */
export interface Kept {
  readonly rows: readonly DueRow[]
}

/** The places of one process for actions in flight: which are free, and who gets them. */
export class Places {
  readonly #settings: ExecutorSettings
  readonly #inFlight = new Map<ActionId, InFlight>()
  /** Each by itself: an action that was handed over and not granted may be taken from the queue before its place is back. */
  readonly #kept = new Set<Kept>()
  readonly #served = new Set<TenantId>()
  readonly #waiters: (() => void)[] = []

  constructor(settings: ExecutorSettings) {
    this.#settings = settings
  }

  get free(): number {
    return this.#settings.maxInFlight - this.#inFlight.size - this.#keptRows().length
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
  keep(rows: readonly DueRow[]): Kept {
    const { maxInFlight, maxBlindInFlight } = this.#settings
    const busy = [...[...this.#inFlight.values()].map(({ taken }) => taken.effect), ...this.#keptRows().map(effectOf)]
    let blind = maxBlindInFlight - busy.filter(({ facts }) => facts.class === 'blind').length
    for (const { tenant_id } of rows) this.#served.add(tenant_id)
    const share = this.#served.size > 1 ? Math.ceil(maxInFlight * shareMax) : maxInFlight
    const places = new Map<TenantId, number>()
    for (const { row } of busy) places.set(row.tenant_id, (places.get(row.tenant_id) ?? 0) + 1)
    const fitting = rows.slice(0, Math.max(0, this.free)).filter((row) => {
      const taken = places.get(row.tenant_id) ?? 0
      if (taken >= share) return false
      if (row.state !== 'unknown' && row.effect.class === 'blind' && blind-- <= 0) return false
      places.set(row.tenant_id, taken + 1)
      return true
    })
    const kept = { rows: fitting }
    if (fitting.length > 0) this.#kept.add(kept)
    return kept
  }

  /** They were not granted, or have started by now. */
  giveBack(kept: Kept): void {
    this.#kept.delete(kept)
    this.tell()
  }

  #keptRows(): DueRow[] {
    return [...this.#kept].flatMap(({ rows }) => rows)
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
