import { setTimeout as sleep } from 'node:timers/promises'

/** Lets many work side by side, or one alone; whoever wants to be alone goes before those that come after. */
export class Turns {
  readonly #beside = new Set<Promise<unknown>>()
  #alone: Promise<unknown> = Promise.resolve()
  #wanting = 0

  async beside<T>(work: () => Promise<T>): Promise<T> {
    while (this.#wanting > 0) await this.#alone
    return this.#follow(work())
  }

  /** Alone for `patienceMs` at most: who takes longer has the others beside it, and who does not end is not waited for. */
  async alone<T>(work: () => Promise<T>, patienceMs: number): Promise<T> {
    this.#wanting++
    const before = this.#alone
    const working = (async () => {
      await before
      await settledOr(Promise.allSettled(this.#beside), patienceMs)
      return this.#follow(work())
    })()
    this.#alone = before.then(() => settledOr(working, patienceMs)).finally(() => this.#wanting--)
    return working
  }

  /** Whoever wants to be alone waits for its end. */
  async #follow<T>(working: Promise<T>): Promise<T> {
    this.#beside.add(working)
    try {
      return await working
    } finally {
      this.#beside.delete(working)
    }
  }
}

/** Waits for an end, whatever it is, and no longer than patience lasts. */
async function settledOr(working: Promise<unknown>, patienceMs: number): Promise<void> {
  const over = new AbortController()
  const patience = sleep(patienceMs, undefined, { signal: over.signal, ref: false })
  await Promise.race([Promise.allSettled([working]), Promise.allSettled([patience])])
  over.abort()
}
