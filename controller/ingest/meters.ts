import { FibricError } from '../domain/errors.ts'
import type { TenantId } from '../domain/ids.ts'
import type { Database } from '../store/connect.ts'
import { drawEvents } from '../store/ingest-meters.ts'

/** So many events a window; windows begin at multiples of their length. */
export interface Quota {
  readonly max: number
  readonly windowMs: number
}

interface Window {
  readonly start: number
  /** Drawn from the meter's row and not used yet. */
  left: number
  /** What the row had left for everybody at the last draw. */
  others: number
  drawing: Promise<void> | null
}

const drawSizeMax = 256
const rememberedMax = 10_000

/**
 * Counts events by meter over all replicas. A replica draws a handful from the meter's row and uses them up in memory: most
 * events write nothing for it, and none is given out twice.
 */
export class Meters {
  readonly #database: Database
  readonly #clock: () => Date
  readonly #windows = new Map<string, Window>()

  constructor(database: Database, clock: () => Date) {
    this.#database = database
    this.#clock = clock
  }

  /** Takes `count` events, or refuses them all. More than a whole window holds takes the whole window. */
  async take(tenantId: TenantId, meter: string, count: number, quota: Quota, what: string): Promise<void> {
    const wanted = Math.min(count, quota.max)
    const start = Math.floor(this.#clock().getTime() / quota.windowMs) * quota.windowMs
    const window = this.#windowOf(`${tenantId} ${meter}`, start, quota)
    while (window.left < wanted && window.others > 0) {
      window.drawing ??= this.#draw(tenantId, meter, window, quota, wanted).finally(() => {
        window.drawing = null
      })
      await window.drawing
    }
    if (quota.max > 0 && window.left >= wanted) {
      window.left -= wanted
      return
    }
    const seconds = Math.max(1, Math.ceil((start + quota.windowMs - this.#clock().getTime()) / 1000))
    throw new FibricError('RATE_LIMITED', `${what} may send ${quota.max} events in ${quota.windowMs / 1000} s`, {
      hint: `send again in ${seconds} s: nothing of this request was taken`,
      details: { retry_after_s: seconds },
    })
  }

  #windowOf(name: string, start: number, quota: Quota): Window {
    const known = this.#windows.get(name)
    if (known?.start === start) return known
    const window: Window = { start, left: 0, others: quota.max, drawing: null }
    this.#windows.delete(name)
    this.#windows.set(name, window)
    if (this.#windows.size > rememberedMax) this.#windows.delete(this.#windows.keys().next().value!)
    return window
  }

  async #draw(tenantId: TenantId, meter: string, window: Window, quota: Quota, needed: number): Promise<void> {
    // Fewer when little is left, so that replicas do not sit on what others need.
    const handful = Math.min(drawSizeMax, Math.ceil(window.others / 16))
    const wanted = Math.max(needed - window.left, handful)
    const beganAt = new Date(window.start).toISOString()
    const drawn = await this.#database.asWorker([tenantId], (tx) => drawEvents(tx, tenantId, meter, beganAt, wanted))
    window.left += Math.max(0, Math.min(wanted, quota.max - (drawn - wanted)))
    window.others = Math.max(0, quota.max - drawn)
  }
}
