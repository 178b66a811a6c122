import type { ActionId } from '../../domain/ids.ts'
import type { Bound, EffectConnector } from './connector.ts'
import type { Effect } from './effect.ts'
import { etagOf } from './provider-state.ts'

/** How long a version that was read is good for an intent. */
const freshMs = 5000

type Version = { readonly etag: string } | { readonly unread: string }

/** The versions that conditional effects are bound to, read in the background just before their intent. */
export class Versions {
  readonly #connector: EffectConnector
  readonly #onRead: () => void
  readonly #known = new Map<ActionId, { readonly readMs: number; readonly version: Version } | 'reading'>()

  constructor(connector: EffectConnector, onRead: () => void) {
    this.#connector = connector
    this.#onRead = onRead
  }

  /** The version for an intent now, `reading` until it is there, or why it cannot be read. It is used once. */
  of({ row }: Effect, bound: Bound): string | 'reading' | { readonly unread: string } {
    const known = this.#known.get(row.action_id)
    if (known === 'reading') return 'reading'
    if (known && performance.now() - known.readMs < freshMs) {
      this.#known.delete(row.action_id)
      return 'etag' in known.version ? known.version.etag : known.version
    }
    this.#known.set(row.action_id, 'reading')
    void this.#read(row.action_id, bound, row.args)
    return 'reading'
  }

  /** Whether an intent waits for a version, or for being taken on with one that was just read. */
  get isAwaited(): boolean {
    for (const [id, known] of this.#known) {
      if (known !== 'reading' && performance.now() - known.readMs >= freshMs) this.#known.delete(id)
    }
    return this.#known.size > 0
  }

  async #read(id: ActionId, bound: Bound, args: Effect['row']['args']): Promise<void> {
    const version = await etagOf(this.#connector, bound, args).catch((error: unknown) => ({
      unread: (error as Error).message,
    }))
    this.#known.set(id, {
      readMs: performance.now(),
      version: typeof version === 'string' ? { etag: version } : version,
    })
    this.#onRead()
  }
}
