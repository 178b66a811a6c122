import { type Counter, type CounterNeed, counterId } from '../../domain/counters.ts'
import { addDecimals, formatDecimal, parseDecimal, zero } from '../../domain/decimal.ts'
import type { TenantId } from '../../domain/ids.ts'
import type { CountedBy } from '../../domain/rules.ts'
import type { Count } from '../../store/claims.ts'

/** The counters that the rules of a batch read, and what its members, not committed yet, add to them. */
export class RunningCounters {
  /** What a claim is held against. */
  readonly asRead: ReadonlyMap<string, Counter>
  readonly #running: Map<string, Counter>
  readonly #moved = new Set<string>()

  constructor(asRead: ReadonlyMap<string, Counter>) {
    this.asRead = asRead
    this.#running = new Map(asRead)
  }

  /** With what earlier members of the batch add: what the gate is asked with. */
  get asMoved(): ReadonlyMap<string, Counter> {
    return this.#running
  }

  /** A member of the batch counts. */
  move(tenant: TenantId, counts: readonly Count[]): void {
    this.shift(tenant, counts, 1)
    for (const count of counts) this.#moved.add(idOf(tenant, count))
  }

  /** Whether a member of the batch has counted there. */
  hasMoved(tenant: TenantId, need: CounterNeed): boolean {
    return this.#moved.has(`${tenant}\n${counterId(need)}`)
  }

  /** Takes something out of what the gate is asked with, or puts it back. */
  shift(tenant: TenantId, counts: readonly Count[], sign: 1 | -1): void {
    for (const count of counts) {
      const { capability, dimension: by, value, minute, currency } = count
      const id = idOf(tenant, count)
      const known = this.#running.get(id) ?? { key: { capability, by: by as CountedBy, value }, since: 0, buckets: [] }
      const bucket = known.buckets.find((each) => each.minute === minute) ?? { minute, count: 0, sums: {} }
      const amount = parseDecimal(count.amount) ?? zero
      const sum = addDecimals(parseDecimal(bucket.sums[currency] ?? '0') ?? zero, {
        units: BigInt(sign) * amount.units,
        scale: amount.scale,
      })
      const others = known.buckets.filter((each) => each.minute !== minute)
      const moved = { minute, count: bucket.count + sign, sums: { ...bucket.sums, [currency]: formatDecimal(sum) } }
      this.#running.set(id, { ...known, buckets: [...others, moved] })
    }
  }
}

function idOf(tenant: TenantId, { capability, dimension, value }: Count): string {
  return `${tenant}\n${counterId({ capability, by: dimension as CountedBy, value })}`
}
