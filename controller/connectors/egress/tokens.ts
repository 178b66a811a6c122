import type { EffectToken } from '../../executor/effects/connector.ts'

/** Tokens that let a write out, until their deadline has passed: each does so once. */
export class SpentTokens {
  readonly #spent = new Map<string, number>()

  /** To be asked in the tick that writes: why the token lets nothing out, or null, and then it is spent. */
  spend(token: EffectToken): string | null {
    const nowMs = performance.now()
    for (const [id, deadlineMs] of this.#spent) {
      if (deadlineMs > nowMs) break // in the order they were spent, which is nearly that of their deadlines
      this.#spent.delete(id)
    }
    if (token.deadlineMs <= nowMs) return 'too late to be sent'
    const id = `${token.actionId} ${token.attempt}`
    if (this.#spent.has(id)) return 'the token was used before'
    this.#spent.set(id, token.deadlineMs)
    return null
  }

  /** Whether it has let its request out. */
  isSpent({ actionId, attempt }: Pick<EffectToken, 'actionId' | 'attempt'>): boolean {
    return this.#spent.has(`${actionId} ${attempt}`)
  }
}
