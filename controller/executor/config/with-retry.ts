import { randomInt } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { FibricError } from '../../domain/errors.ts'

const attemptsMax = 8

/**
 * Two writers that collide in the database lose nothing but the batch: it is taken again, on what is there then. Several of
 * them may collide more than once, so each waits a little longer than the last time, and never as long as the others.
 */
export async function withRetry<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work()
    } catch (error) {
      if (!(error instanceof FibricError) || error.code !== 'STATE_CONFLICT' || attempt === attemptsMax) throw error
    }
    await sleep(randomInt(10 * 2 ** Math.min(attempt, 5)))
  }
}
