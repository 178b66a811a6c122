import type { NewEvent } from '../../domain/envelope.ts'
import { FibricError } from '../../domain/errors.ts'
import { compileGlob } from '../../domain/glob.ts'
import type { TenantId } from '../../domain/ids.ts'
import type { Database } from '../../store/connect.ts'
import {
  type CursorMark,
  claimConsumer,
  ensureConsumer,
  moveCursor,
  releaseConsumer,
  renewConsumer,
  setConsumerState,
} from '../../store/event-consumers.ts'
import { doorbellOf } from '../../store/event-doorbell.ts'
import { readHeads, readPulses } from '../../store/event-lanes.ts'
import { type ReplayRow, readOpenReplays } from '../../store/event-replays.ts'
import { readFrom, type StoredEvent } from '../../store/events.ts'
import type { Transaction } from '../../store/tenancy.ts'
import type { Claimed, Delivery, EventBus, Subscription } from '../event-bus.ts'
import { deliver } from './deliver.ts'

export interface PostgresBusOptions {
  /** Makes events durable, and has them sequenced soon after. */
  readonly append: (tenantId: TenantId, events: readonly NewEvent[]) => Promise<readonly string[]>
  /** How long a holder keeps a consumer that it shows no sign of life for. */
  readonly leaseMs?: number
  /** How often lanes are looked at for what other processes appended. */
  readonly pollMs?: number
}

/**
 * The event log of PostgreSQL as a bus. Nothing is notified inside business transactions: who appended in this process
 * rings a bell in it, and what others appended is found by looking at the heads, one query for all domains.
 */
export function postgresEventBus(database: Database, options: PostgresBusOptions): EventBus {
  const leaseMs = options.leaseMs ?? 30_000
  const doorbell = doorbellOf(database)
  const watch = watchPulses(database, options.pollMs ?? 250)
  const bus: EventBus = {
    publish: options.append,
    claim: (subscription) => claim(database, subscription, leaseMs),
    subscribe: (subscription, delivery) => deliver(bus, subscription, delivery),
    pause: (tenantId, consumer) => setState(database, tenantId, consumer, 'paused'),
    resume: async (tenantId, consumer) => {
      await setState(database, tenantId, consumer, 'active')
      doorbell.ring(tenantId)
    },
    heads: () => database.asWorker([], (tx) => readHeads(tx), { access: 'read only' }),
    listen: (listener) => {
      watch.start()
      return doorbell.listen(listener)
    },
    close: () => watch.stop(),
  }
  return bus
}

async function claim(database: Database, subscription: Subscription, leaseMs: number): Promise<Claimed | null> {
  const { tenantId, consumer, from } = subscription
  const position = from === undefined || from === 'now' ? null : from
  const taken = await database.asWorker([tenantId], async (tx) => {
    const [, , row] = await Promise.all([
      withoutWaiting(tx),
      ensureConsumer(tx, tenantId, consumer, position),
      claimConsumer(tx, tenantId, consumer, leaseMs),
    ])
    return row
  })
  return taken && new PostgresClaim(database, { tenantId, consumer, fence: taken.fence }, leaseMs)
}

class PostgresClaim implements Claimed {
  readonly #database: Database
  readonly #holder: Omit<CursorMark, 'replayId'>
  readonly leaseMs: number
  #replaysNext = false

  constructor(database: Database, holder: Omit<CursorMark, 'replayId'>, leaseMs: number) {
    this.#database = database
    this.#holder = holder
    this.leaseMs = leaseMs
  }

  mark(replayId: string | null): CursorMark {
    return { ...this.#holder, replayId }
  }

  poll(limit: number, done: Delivery | null = null): Promise<readonly Delivery[] | null> {
    const { tenantId, consumer } = this.#holder
    return this.#inDomain(async (tx) => {
      // Sent together: each sees what the one before it did.
      const [moved, position] = await Promise.all([
        done === null ? true : moveCursor(tx, this.mark(done.replayId), done.position),
        renewConsumer(tx, this.mark(null), this.leaseMs),
      ])
      if (!moved || position === null) return null
      // In turn, so that a stream that never runs dry keeps no replay waiting for ever.
      this.#replaysNext = !this.#replaysNext
      const live = () => readFrom(tx, tenantId, { after: position, limit })
      if (this.#replaysNext) {
        const events = await live()
        if (events.length > 0) return events.map((event) => deliveryOf(event, null))
      }
      for (const replay of await readOpenReplays(tx, tenantId, consumer)) {
        const deliveries = await this.#replayed(tx, replay, limit)
        if (deliveries.length > 0) return deliveries
      }
      return this.#replaysNext ? [] : (await live()).map((event) => deliveryOf(event, null))
    })
  }

  advance(to: Delivery): Promise<boolean> {
    return this.#inDomain((tx) => moveCursor(tx, this.mark(to.replayId), to.position))
  }

  hold(): Promise<boolean> {
    return this.#inDomain(async (tx) => (await renewConsumer(tx, this.mark(null), this.leaseMs)) !== null)
  }

  async release(): Promise<void> {
    await this.#inDomain((tx) => releaseConsumer(tx, this.mark(null)))
  }

  /** The next events of a replay whose type is asked for. What is passed over moves its cursor right away. */
  async #replayed(tx: Transaction, replay: ReplayRow, limit: number): Promise<Delivery[]> {
    const globs = replay.types.map(compileGlob)
    for (let after = replay.position; after < replay.to_position; ) {
      const events = await readFrom(tx, replay.tenant_id, { after, upTo: replay.to_position, limit })
      const wanted = events.filter((event) => globs.some((glob) => glob.matches(event.envelope.event_type)))
      if (wanted.length > 0) return wanted.map((event) => deliveryOf(event, replay.replay_id))
      after = events.at(-1)?.position ?? replay.to_position
      await moveCursor(tx, this.mark(replay.replay_id), after)
    }
    await moveCursor(tx, this.mark(replay.replay_id), replay.to_position)
    return []
  }

  #inDomain<T>(work: (tx: Transaction) => Promise<T>): Promise<T> {
    return turnsOf(this.#database).take(() =>
      this.#database.asWorker([this.#holder.tenantId], async (tx) => {
        const [, result] = await Promise.all([withoutWaiting(tx), work(tx)])
        return result
      }),
    )
  }
}

/** Half of a pool: however many consumers there are, what comes in finds a connection. */
const turnsMax = 4

interface Turns {
  take<T>(work: () => Promise<T>): Promise<T>
}

const turns = new WeakMap<Database, Turns>()

/** So many transactions of consumers at once, first come, first served. */
function turnsOf(database: Database): Turns {
  const known = turns.get(database)
  if (known) return known
  const waiting: (() => void)[] = []
  let running = 0
  const made: Turns = {
    take: async (work) => {
      if (running < turnsMax) running++
      else await new Promise<void>((resolve) => waiting.push(resolve))
      try {
        return await work()
      } finally {
        const next = waiting.shift()
        // Whoever waits takes the place over.
        if (next) next()
        else running--
      }
    },
  }
  turns.set(database, made)
  return made
}

/**
 * Leases and cursors need not be on disk when they are answered: what a crash of the server forgets of them is delivered
 * once more, and nothing that is durable later can have been written before them.
 */
async function withoutWaiting(tx: Transaction): Promise<void> {
  await tx.execute(`select set_config('synchronous_commit', 'off', true)`)
}

function deliveryOf(event: StoredEvent & { readonly position: number }, replayId: string | null): Delivery {
  const { envelope, position, receivedAt, key, depth, origin } = event
  return { event: envelope, position, receivedAt, key, depth, origin, replayId }
}

async function setState(database: Database, tenantId: TenantId, consumer: string, state: 'active' | 'paused') {
  const known = await database.asWorker([tenantId], (tx) => setConsumerState(tx, tenantId, consumer, state))
  if (!known) throw new FibricError('NOT_FOUND', `there is no consumer \`${consumer}\``)
}

/** After so many looks that found nothing, the next ones come half as often. */
const restAfter = 40

/** Rings for domains with something new that nobody in this process brought. Runs once somebody listens. */
function watchPulses(database: Database, everyMs: number) {
  const doorbell = doorbellOf(database)
  let known = new Map<TenantId, number>()
  let sum = 0
  let quietLooks = 0
  let timer: NodeJS.Timeout | null = null
  let looking: Promise<void> = Promise.resolve()
  const look = async (): Promise<void> => {
    try {
      const pulses = await database.asWorker([], (tx) => readPulses(tx, sum), { access: 'read only', oneTrip: true })
      quietLooks = pulses === null ? quietLooks + 1 : 0
      if (pulses !== null) {
        for (const [tenant, pulse] of pulses) if (known.get(tenant) !== pulse) doorbell.ring(tenant)
        known = pulses
        sum = [...pulses.values()].reduce((total, pulse) => total + pulse, 0)
      }
    } catch {
      // A database that cannot be reached now is looked at again in a moment; whoever needs it reports it.
    }
    if (timer !== null) schedule()
  }
  const schedule = (): void => {
    timer = setTimeout(
      () => {
        looking = look()
      },
      everyMs * (quietLooks > restAfter ? 2 : 1),
    )
    timer.unref()
  }
  return {
    start: () => {
      if (timer === null) schedule()
    },
    stop: async () => {
      if (timer !== null) clearTimeout(timer)
      timer = null
      await looking
    },
  }
}
