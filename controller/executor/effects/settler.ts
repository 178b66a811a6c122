import { setTimeout as sleep } from 'node:timers/promises'
import { FibricError } from '../../domain/errors.ts'
import { isPassing } from '../../store/database-error.ts'
import { advancePlan } from './advance.ts'
import type { ExecutorContext } from './context.ts'
import { batchMax } from './due.ts'
import { type Outcome, settleOutcomes, withoutWords } from './settle.ts'

/** About two minutes: longer than any lease. */
const settleAttemptsMax = 60

/** Writes what attempts came to; those that end while others are being written are written together. */
export class Settler {
  readonly #context: ExecutorContext
  readonly #settled: () => void
  readonly #waiting: { readonly outcome: Outcome; readonly done: () => void }[] = []
  #writing: Promise<void> | null = null

  constructor(context: ExecutorContext, settled: () => void) {
    this.#context = context
    this.#settled = settled
  }

  get isIdle(): boolean {
    return this.#writing === null
  }

  /** Resolves once it is written, with others. */
  settleSoon(outcome: Outcome): Promise<void> {
    const settled = new Promise<void>((done) => this.#waiting.push({ outcome, done }))
    this.#writing ??= this.#writeAll().finally(() => {
      this.#writing = null
      this.#settled()
    })
    return settled
  }

  /** Tried until the database takes it: were this process killed, the leases would run out and leave doubts. */
  async settleNow(outcomes: readonly Outcome[]): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#settleAndAdvance(outcomes)
      } catch (error) {
        this.#context.onFailure(error, 'settling')
        if (!isPassing(error)) return this.#oneByOne(outcomes, error)
        if (attempt >= settleAttemptsMax) return
        await sleep(Math.min(2000, 50 * 2 ** attempt))
      }
    }
  }

  async #writeAll(): Promise<void> {
    // Those that ended in the same turn of the event loop go together.
    await new Promise((resolve) => setImmediate(resolve))
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, batchMax)
      await this.settleNow(batch.map(({ outcome }) => outcome))
      for (const { done } of batch) done()
    }
  }

  async #settleAndAdvance(outcomes: readonly Outcome[]): Promise<void> {
    const mine = await settleOutcomes(this.#context, outcomes)
    const plans = new Map<string, Outcome>()
    for (const [index, outcome] of outcomes.entries()) {
      if (mine[index] && outcome.effect.facts.followed) plans.set(outcome.effect.row.plan_id, outcome)
    }
    for (const { effect } of plans.values()) {
      await advancePlan(this.#context, effect.row.tenant_id, effect.row.plan_id)
    }
  }

  /** One that the database refuses keeps no other from being settled: it becomes a doubt that can be written. */
  async #oneByOne(outcomes: readonly Outcome[], error: unknown): Promise<void> {
    if (outcomes.length > 1) {
      for (const outcome of outcomes) await this.settleNow([outcome])
      return
    }
    const plain = withoutWords(outcomes[0]!, error instanceof FibricError ? error.code : 'INTERNAL')
    try {
      await this.#settleAndAdvance([plain])
    } catch (failed) {
      this.#context.onFailure(failed, 'settling without words')
    }
  }
}
