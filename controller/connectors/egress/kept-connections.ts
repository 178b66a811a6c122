/** A connection as far as keeping it goes: there is one request at a time on it. */
export interface Keepable {
  readonly destroyed: boolean
  destroy(): Promise<void>
  once(event: 'disconnect', listener: () => void): unknown
  off(event: 'disconnect', listener: () => void): unknown
}

interface Resting<C> {
  readonly connection: C
  readonly sinceMs: number
  readonly onEnd: () => void
}

/**
 * How long a connection rests after an answer before it carries another request. A second answer that comes meanwhile ends
 * the connection: it is never taken for the answer to the next request.
 */
export const restMs = 50
/** Well below the few seconds after which servers hang up: a request that meets that is in doubt. */
export const keptMs = 2000
const keptMaxEach = 128
const keptMax = 1024

/** Connections whose last answer was whole, by the place they lead to and whose requests they carry. */
export class KeptConnections<C extends Keepable> {
  readonly #resting = new Map<string, Resting<C>[]>()
  readonly #clockMs: () => number
  #size = 0

  constructor(clockMs: () => number = () => performance.now()) {
    this.#clockMs = clockMs
  }

  /** A connection that has rested and is still open, or null. It is its taker's alone. */
  take(key: string): C | null {
    const resting = this.#resting.get(key) ?? []
    const now = this.#clockMs()
    // The longest rested stand first: what is too old for use is let go on the way.
    while (resting.length > 0 && now - resting[0]!.sinceMs >= restMs) {
      const { connection, sinceMs } = resting[0]!
      this.#forget(key, connection)
      if (!connection.destroyed && now - sinceMs < keptMs) return connection
      letGo(connection)
    }
    return null
  }

  /** Keeps a connection, until it is taken, too old, or ended by the other side. */
  keep(key: string, connection: C): void {
    const resting = this.#resting.get(key) ?? []
    if (connection.destroyed || resting.length >= keptMaxEach || this.#size >= keptMax) {
      letGo(connection)
      return
    }
    const onEnd = (): void => {
      this.#forget(key, connection)
      letGo(connection)
    }
    connection.once('disconnect', onEnd)
    resting.push({ connection, sinceMs: this.#clockMs(), onEnd })
    this.#resting.set(key, resting)
    this.#size++
  }

  get size(): number {
    return this.#size
  }

  #forget(key: string, connection: C): void {
    const resting = this.#resting.get(key)
    const index = resting?.findIndex((each) => each.connection === connection) ?? -1
    if (resting === undefined || index < 0) return
    const [forgotten] = resting.splice(index, 1)
    connection.off('disconnect', forgotten!.onEnd)
    this.#size--
    if (resting.length === 0) this.#resting.delete(key)
  }
}

function letGo(connection: Keepable): void {
  connection.destroy().catch(() => {}) // an end that fails is an end
}
