import { randomBytes } from 'node:crypto'
import { mintId } from '../domain/ids.ts'
import { lastTick } from '../domain/tick-times.ts'
import type { Runner } from './deliveries.ts'
import type { OperatorInForce, Trigger } from './operators.ts'

/**
 * Starts the runs of operators that run by the clock. A tick is one run in the whole deployment, whoever comes first; ticks
 * that nobody was there for are one.
 */
export class Ticks {
  readonly #runner: Runner
  readonly #clock: () => Date
  readonly #onFailure: (error: unknown, doing: string) => void
  /** The moment up to which each operator's ticks are done with: a new one starts at now. */
  readonly #seen = new Map<string, Date>()

  constructor(runner: Runner, clock: () => Date, onFailure: (error: unknown, doing: string) => void) {
    this.#runner = runner
    this.#clock = clock
    this.#onFailure = onFailure
  }

  async run(operators: readonly OperatorInForce[]): Promise<void> {
    const now = this.#clock()
    await Promise.all(operators.map((operator) => this.#runOne(operator, now)))
  }

  async #runOne(operator: OperatorInForce, now: Date): Promise<void> {
    const since = this.#seen.get(operator.id)
    this.#seen.set(operator.id, now)
    const tick = since && lastTick(operator.trigger, since, now)
    if (!tick) return
    const key = tick.toISOString()
    try {
      const correlationId = mintId('correlation', now.getTime(), randomBytes(10))
      await this.#runner.run(operator, { deliveryId: `tick:${key}`, event: null, key, correlationId, depth: 0 })
    } catch (error) {
      // Looked at again with the next turn, as often as runs may die.
      this.#seen.set(operator.id, since)
      this.#onFailure(error, `running \`${operator.address}\` by the clock`)
    }
  }
}

export function ticks({ every, cron }: Trigger): boolean {
  return every !== null || cron !== null
}
