import type { McpClient, ToolListing } from './client.ts'
import type { Gates } from './gate.ts'
import type { StdioTransport } from './stdio-transport.ts'

/** A program that runs, and the session with it. */
export interface ProgramSession {
  readonly client: McpClient
  readonly transport: StdioTransport
  readonly gates: Gates
  /** Its tools as they were listed last; null once it said that they changed. */
  listing: ToolListing | null
  listedMs: number
}

interface Entry {
  readonly opened: Promise<ProgramSession>
  users: number
  usedMs: number
  idle: NodeJS.Timeout | null
}

export interface PoolLimits {
  readonly programsMax: number
  readonly idleMs: number
}

export const poolLimits: PoolLimits = { programsMax: 16, idleMs: 60_000 }

/** There are as many programs as there may be, and all of them are at work. */
export class PoolFull extends Error {}

/** Programs that serve connections: one a connection, a bounded number, ended when nobody has asked for a while. */
export class ProgramPool {
  readonly #limits: PoolLimits
  readonly #entries = new Map<string, Entry>()

  constructor(limits: PoolLimits = poolLimits) {
    this.#limits = limits
  }

  get size(): number {
    return this.#entries.size
  }

  /** The session of a connection, opened where there is none; to be released by whoever asked. */
  async lease(key: string, open: () => Promise<ProgramSession>): Promise<{ session: ProgramSession; release(): void }> {
    const entry = this.#entries.get(key) ?? this.#enter(key, open)
    entry.users++
    if (entry.idle !== null) clearTimeout(entry.idle)
    entry.idle = null
    try {
      const session = await entry.opened
      const letGo = session.transport.hold()
      return {
        session,
        release: () => {
          letGo()
          this.#released(key, entry)
        },
      }
    } catch (error) {
      if (this.#entries.get(key) === entry) this.#entries.delete(key)
      throw error
    }
  }

  /** The program goes, whoever is using it: their calls are in doubt. */
  async end(key: string): Promise<void> {
    const entry = this.#entries.get(key)
    if (entry === undefined) return
    this.#entries.delete(key)
    if (entry.idle !== null) clearTimeout(entry.idle)
    const session = await entry.opened.catch(() => null) // it never began
    await session?.client.close()
  }

  /** Ends every program; one that is asked for after that begins anew. */
  async close(): Promise<void> {
    await Promise.all([...this.#entries.keys()].map((key) => this.end(key)))
  }

  #enter(key: string, open: () => Promise<ProgramSession>): Entry {
    if (this.#entries.size >= this.#limits.programsMax) this.#makeRoom()
    const opened = open()
    const entry: Entry = { opened, users: 0, usedMs: performance.now(), idle: null }
    this.#entries.set(key, entry)
    const gone = (): void => {
      if (this.#entries.get(key) === entry) this.#entries.delete(key)
    }
    opened.then(
      ({ transport }) => {
        const { onclose } = transport
        transport.onclose = () => {
          gone()
          onclose?.()
        }
      },
      () => {}, // told to whoever asked
    )
    return entry
  }

  /** The one that rested longest goes; where none rests, there is no room. */
  #makeRoom(): void {
    const resting = [...this.#entries]
      .filter(([, { users }]) => users === 0)
      .sort(([, a], [, b]) => a.usedMs - b.usedMs)
    const [longest] = resting
    if (!longest) throw new PoolFull(`${this.#limits.programsMax} programs are running, and all of them are at work`)
    void this.end(longest[0])
  }

  #released(key: string, entry: Entry): void {
    entry.users--
    entry.usedMs = performance.now()
    if (entry.users > 0 || this.#entries.get(key) !== entry) return
    entry.idle = setTimeout(() => void this.end(key), this.#limits.idleMs)
    entry.idle.unref()
  }
}
