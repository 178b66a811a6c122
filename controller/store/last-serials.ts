import type { Database } from './connect.ts'
import type { Transaction } from './tenancy.ts'

interface LastSerials {
  readonly entries: number
  readonly events: number
}

/** How long after a serial was given it is looked for: a row is there once its transaction has committed. */
const tailMs = 5_000
/** How often it is looked for all the same: some transaction may have taken longer. */
const anywayMs = 30_000

/**
 * Whether it is worth looking through all domains for what has no position yet. Where nothing was appended lately, it says
 * no for one small question.
 */
export class AppendWatch {
  readonly #database: Database
  readonly #which: keyof LastSerials
  #last: number | null = null
  #movedMs = Number.NEGATIVE_INFINITY
  #lookedMs = Number.NEGATIVE_INFINITY

  constructor(database: Database, which: keyof LastSerials) {
    this.#database = database
    this.#which = which
  }

  async isDue(): Promise<boolean> {
    const last = (await this.#database.asWorker([], readLastSerials, { access: 'read only', oneTrip: true }))[
      this.#which
    ]
    const now = performance.now()
    if (last !== this.#last) this.#movedMs = now
    this.#last = last
    if (this.isQuiet && now - this.#lookedMs < anywayMs) return false
    this.#lookedMs = now
    return true
  }

  /** Nothing was appended lately, as far as was asked. */
  get isQuiet(): boolean {
    return performance.now() - this.#movedMs > tailMs
  }
}

const selectSerials = `select entries, events from fibric.last_serials()`

/** The last serial that any ledger entry and any event was given; no context is needed. */
async function readLastSerials(tx: Transaction): Promise<LastSerials> {
  const [row] = await tx.query<LastSerials>(selectSerials)
  return row!
}
