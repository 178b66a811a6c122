import { FibricError } from '../../domain/errors.ts'

/** Two writers that collide in the database lose nothing but the batch: it is taken again, on what is there then. */
export async function withRetry<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work()
    } catch (error) {
      if (!(error instanceof FibricError) || error.code !== 'STATE_CONFLICT' || attempt === 3) throw error
    }
  }
}
