import { randomBytes } from 'node:crypto'
import { Cron } from 'croner'
import { parseDurationMs } from '../domain/duration.ts'
import { mintId } from '../domain/ids.ts'
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

/** The last tick after one moment and up to another; null when there is none. */
export function lastTick({ every, cron, timeZone }: Trigger, after: Date, upTo: Date): Date | null {
  if (every !== null) {
    const stepMs = parseDurationMs(every) ?? 0
    if (stepMs <= 0) return null
    const tickMs = Math.floor(upTo.getTime() / stepMs) * stepMs
    return tickMs > after.getTime() ? new Date(tickMs) : null
  }
  if (cron === null) return null
  const times = new Cron(cron, { paused: true, timezone: timeZone ?? 'UTC' })
  let last: Date | null = null
  // A month of ticks of a minute is as far as a missed one is looked for.
  for (let next = times.nextRun(after), found = 0; next !== null && next <= upTo && found < 50_000; found++) {
    last = next
    next = times.nextRun(next)
  }
  return last
}
