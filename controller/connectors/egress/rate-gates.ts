import type { TenantId } from '../../domain/ids.ts'
import type { Database } from '../../store/connect.ts'
import { type GatePlace, readClosedGates, writeClosedGate } from '../../store/egress.ts'

/** Longest time a provider may send us away for with one answer. */
const closedForMsMax = 3_600_000

/**
 * Hosts that said `Retry-After`, by domain: one tenant's quota at a provider is not another's. They stand in PostgreSQL,
 * so every replica leaves them alone.
 */
export class RateGates {
  readonly #database: Database
  #waiting: {
    readonly place: GatePlace
    readonly answer: (remainingMs: number) => void
    readonly fail: (error: unknown) => void
  }[] = []

  constructor(database: Database) {
    this.#database = database
  }

  /** For how much longer a host is to be left alone; 0 when it is not. Calls of one moment share a look. */
  remainingMs(tenantId: TenantId, host: string): Promise<number> {
    return new Promise((answer, fail) => {
      this.#waiting.push({ place: { tenantId, host }, answer, fail })
      if (this.#waiting.length === 1) setImmediate(() => void this.#look())
    })
  }

  async close(tenantId: TenantId, host: string, forMs: number): Promise<void> {
    const bounded = Math.min(forMs, closedForMsMax)
    await this.#database.asWorker([tenantId], (tx) => writeClosedGate(tx, { tenantId, host }, bounded))
  }

  async #look(): Promise<void> {
    const asked = this.#waiting
    this.#waiting = []
    try {
      const tenants = [...new Set(asked.map(({ place }) => place.tenantId))]
      const places = asked.map(({ place }) => place)
      const closed = await this.#database.asWorker(tenants, (tx) => readClosedGates(tx, places), {
        access: 'read only',
      })
      const remaining = new Map(closed.map((row) => [`${row.tenant_id} ${row.host}`, row.remaining_ms]))
      for (const { place, answer } of asked) answer(remaining.get(`${place.tenantId} ${place.host}`) ?? 0)
    } catch (error) {
      for (const { fail } of asked) fail(error)
    }
  }
}

/** Milliseconds that `Retry-After` asks for: seconds or an HTTP date; null when it says nothing that can be read. */
export function retryAfterMs(text: string | undefined, nowMs: number): number | null {
  if (text === undefined) return null
  const trimmed = text.trim()
  if (/^\d{1,9}$/.test(trimmed)) return Number(trimmed) * 1000
  const at = /^[A-Za-z]{3,9},? /.test(trimmed) ? Date.parse(trimmed) : Number.NaN
  return Number.isNaN(at) ? null : Math.max(0, at - nowMs)
}
