import type { Envelope, NewEvent, Origin } from '../domain/envelope.ts'
import type { TenantId } from '../domain/ids.ts'

/**
 * How events reach those who act on them.
 *
 * Promised by every implementation, and shown by `test/seams/event-bus.conformance.ts`:
 * - What `publish` resolved for is delivered to every consumer at least once, whatever is killed in between.
 * - A consumer gets the events of a domain in the order of their positions, which are dense and never change; those with
 *   one ordering key one after the other, never beside one another.
 * - Its cursor moves only when it says so, and it resumes after it. One holder at a time, however long a delivery takes: an
 *   old fence moves nothing.
 * - Paused, it gets nothing and loses nothing. A new consumer starts where its subscription says, by default at now.
 * - A replay is delivered beside the live events, marked, and moves a cursor of its own.
 */
export interface EventBus {
  /** Resolves when the events are durable; answers their ids. For what comes from inside: doors have `ingest`. */
  publish(tenantId: TenantId, events: readonly NewEvent[]): Promise<readonly string[]>
  /** Takes the consumer for a while; null when it is paused or somebody else has it. */
  claim(subscription: Subscription): Promise<Claimed | null>
  /** Claims, delivers and moves the cursor until `signal` aborts. */
  subscribe(subscription: Subscription, options: DeliveryOptions): Promise<void>
  pause(tenantId: TenantId, consumer: string): Promise<void>
  resume(tenantId: TenantId, consumer: string): Promise<void>
  /** The last position of each domain that ever had an event. */
  heads(): Promise<ReadonlyMap<TenantId, number>>
  /** Calls `listener` when a domain has new positions; it may miss some. Answers how to stop. */
  listen(listener: (tenantId: TenantId) => void): () => void
  /** Ends what the bus keeps running. */
  close(): Promise<void>
}

export interface Subscription {
  readonly tenantId: TenantId
  /** Unique in its domain: `operator:<id>`. */
  readonly consumer: string
  /** Where a consumer begins that is not known yet: after what is there now, or after a position (0: everything). */
  readonly from?: 'now' | number
}

export interface Delivery {
  readonly event: Envelope
  readonly position: number
  readonly receivedAt: string
  /** The key it was ingested under. */
  readonly key: string | null
  readonly depth: number
  readonly origin: Origin
  /** The replay it belongs to; null for a live delivery. */
  readonly replayId: string | null
}

/** A consumer in hand. */
export interface Claimed {
  /** What its holder shows to move a cursor in a transaction of its own (`store/event-consumers.ts` `moveCursor`). */
  mark(replayId: string | null): {
    readonly tenantId: TenantId
    readonly consumer: string
    readonly fence: number
    readonly replayId: string | null
  }
  /**
   * The next deliveries, all live or all of one replay; the same again until the cursor moves. Null when the claim is lost.
   * Empty when there are none now. With `done` the cursor moves first, as `advance` would move it.
   */
  poll(limit: number, done?: Delivery | null): Promise<readonly Delivery[] | null>
  /** Everything up to this delivery is done with. False when the claim is lost. */
  advance(to: Delivery): Promise<boolean>
  /** How long it is held without a sign of life. */
  readonly leaseMs: number
  /** A sign of life while deliveries take their time. False when the claim is lost, or the consumer paused. */
  hold(): Promise<boolean>
  release(): Promise<void>
}

export interface DeliveryOptions {
  readonly signal: AbortSignal
  /** Deliveries with one key come one after the other. Default: the correlation id. */
  readonly keyOf?: (delivery: Delivery) => string
  /** How many keys may be worked on at once. Default 16. */
  readonly concurrency?: number
  /** What it rejects for comes again, and so does what came after it. */
  readonly handle: (delivery: Delivery) => Promise<void>
  /** Told of every failure; the delivery comes again after a while. */
  readonly onFailure?: (error: unknown, delivery: Delivery | null) => void
}
