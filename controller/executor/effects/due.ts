import type { ActionId, TenantId } from '../../domain/ids.ts'
import type { Database } from '../../store/connect.ts'
import { type DueRow, readDue, readReadyTenants } from '../../store/effect-queue.ts'

/** What one command carries out: nobody else's. */
export interface Only {
  readonly tenants: readonly TenantId[]
  readonly actions: readonly ActionId[]
}

export const batchMax = 64
const tenantsMax = 64
/** How long the domains that have work are taken to be the same, as long as they fill what is free. */
const ringMs = 100
/** What was read longer ago is read again. */
const aheadMs = 100

interface Ahead {
  readonly sinceMs: number
  readonly rows: Promise<readonly DueRow[]>
}

/**
 * Finds what is due, in a ring over the domains. While one batch is being claimed the next one is read already: what has
 * become of it meanwhile its claim will tell, as it does of what another process took.
 */
export class Due {
  readonly #database: Database
  #ring = ''
  #unseen: readonly TenantId[] = []
  #ready: readonly TenantId[] = []
  #readyMs = Number.NEGATIVE_INFINITY
  #ahead: Ahead | null = null

  constructor(database: Database) {
    this.#database = database
  }

  /** Up to `free` actions that are not in hand. */
  async take(free: number, inHand: ReadonlySet<ActionId>, only?: Only): Promise<readonly DueRow[]> {
    if (only) {
      const { tenants, actions } = only
      const read = { access: 'read only' } as const
      return this.#database.asWorker(tenants, (tx) => readDue(tx, tenants, free, [...inHand], actions), read)
    }
    const ahead = this.#ahead
    this.#ahead = null
    if (ahead !== null && performance.now() - ahead.sinceMs < aheadMs) {
      const rows = (await ahead.rows).filter((row) => !inHand.has(row.action_id))
      if (rows.length > 0) return inTurn(rows, free)
    }
    // Shares are rounded up, so that several domains may bring more than there is room for.
    return inTurn(await this.#read(free, [...inHand]), free)
  }

  /** Domains with something due that the last look did not come to. */
  get unseen(): readonly TenantId[] {
    return this.#unseen
  }

  /** Reads on beyond what was just taken. */
  lookAhead(inHand: ReadonlySet<ActionId>, taken: readonly DueRow[]): void {
    const rows = this.#read(batchMax, [...inHand, ...taken.map((row) => row.action_id)])
    rows.catch(() => {}) // whoever takes it is told
    this.#ahead = { sinceMs: performance.now(), rows }
  }

  async #read(free: number, except: readonly ActionId[]): Promise<DueRow[]> {
    const tenants = await this.#tenantsFor(free)
    if (tenants.length === 0) return []
    const share = Math.max(1, Math.ceil(free / tenants.length))
    const rows = await this.#database.asWorker(tenants, (tx) => readDue(tx, tenants, share, except), {
      access: 'read only',
    })
    if (rows.length < free) this.#readyMs = Number.NEGATIVE_INFINITY
    return rows
  }

  /** More domains than free places: the ring goes on from where it ended; fewer: each gets its share, or what is left. */
  async #tenantsFor(free: number): Promise<readonly TenantId[]> {
    const isFresh = performance.now() - this.#readyMs < ringMs
    if (isFresh && this.#ready.length > 0 && this.#ready.length <= free) return this.#ready
    const ring = await this.#database.asWorker([], (tx) => readReadyTenants(tx, this.#ring, tenantsMax), {
      access: 'read only',
    })
    this.#ready = ring.slice(0, free)
    this.#unseen = ring.slice(free)
    this.#readyMs = performance.now()
    this.#ring = this.#ready.at(-1) ?? ''
    return this.#ready
  }
}

/** So many rows, the oldest of each domain in turn. */
function inTurn(rows: readonly DueRow[], count: number): readonly DueRow[] {
  if (rows.length <= count) return rows
  const queues = [...Map.groupBy(rows, (row) => row.tenant_id).values()]
  const turns = Math.max(...queues.map((queue) => queue.length))
  const inOrder = Array.from({ length: turns }, (_, turn) => queues.flatMap((queue) => queue[turn] ?? []))
  return inOrder.flat().slice(0, count)
}
