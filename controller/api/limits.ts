import type { TenantId } from '../domain/ids.ts'
import type { Engine } from '../engine.ts'
import { drawRequests } from '../store/requests.ts'

/** What is left of a domain's minute, for the headers. */
export interface Allowance {
  readonly allowed: boolean
  readonly limit: number
  readonly remaining: number
  /** Epoch seconds at which the next minute begins. */
  readonly resetAt: number
}

interface Minute {
  readonly start: number
  /** Drawn from the domain's row and not used yet. */
  left: number
  /** What the row had left for everybody at the last draw. */
  others: number
  drawing: Promise<void> | null
}

const minuteMs = 60_000
const drawSizeMax = 64

/**
 * Counts the requests of each domain, over all replicas and minute by minute. A replica draws a handful from the domain's
 * row in PostgreSQL and uses them up in memory: most requests write nothing, and none are given out twice.
 */
export function requestLimits(engine: Engine, perMinute: number): (tenantId: TenantId) => Promise<Allowance> {
  const minutes = new Map<TenantId, Minute>()

  async function draw(tenantId: TenantId, minute: Minute): Promise<void> {
    // Fewer when little is left, so that replicas do not sit on what others need.
    const wanted = Math.max(1, Math.min(drawSizeMax, Math.ceil(minute.others / 16)))
    const at = new Date(minute.start).toISOString()
    const drawn = await engine.database.asTenant(tenantId, (tx) => drawRequests(tx, tenantId, at, wanted))
    minute.left += Math.max(0, Math.min(wanted, perMinute - (drawn - wanted)))
    minute.others = Math.max(0, perMinute - drawn)
  }

  return async (tenantId) => {
    const start = Math.floor(engine.clock().getTime() / minuteMs) * minuteMs
    let minute = minutes.get(tenantId)
    if (!minute || minute.start !== start) {
      minute = { start, left: 0, others: perMinute, drawing: null }
      minutes.set(tenantId, minute)
    }
    while (minute.left === 0 && minute.others > 0) {
      const current = minute
      current.drawing ??= draw(tenantId, current).finally(() => {
        current.drawing = null
      })
      await current.drawing
    }
    const allowed = minute.left > 0
    if (allowed) minute.left--
    return { allowed, limit: perMinute, remaining: minute.left + minute.others, resetAt: (start + minuteMs) / 1000 }
  }
}
