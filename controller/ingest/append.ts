import { randomBytes } from 'node:crypto'
import { isReserved, type NewEvent } from '../domain/envelope.ts'
import { FibricError } from '../domain/errors.ts'
import { mintId, type TenantId } from '../domain/ids.ts'
import type { Database } from '../store/connect.ts'
import { type EventWrite, writeEvents } from '../store/events.ts'
import { type Claim, readClaims, shareIngestKeys } from '../store/ingest-keys.ts'
import type { Transaction } from '../store/tenancy.ts'
import { contentDigest, payloadBytes } from './content.ts'
import { sequencerOf } from './sequencer.ts'

/** What became of one event. */
export type Appended =
  | {
      readonly outcome: 'appended'
      readonly eventId: string
      readonly correlationId: string
      readonly receivedAt: string
    }
  /** The key stands for the same content already: `eventId` is that event. */
  | { readonly outcome: 'duplicate'; readonly eventId: string }
  /** The key stands for other content: `eventId` is the event it stands for, and nothing was stored. */
  | { readonly outcome: 'conflict'; readonly eventId: string }

/**
 * Appends events of one domain to the log; resolves after the commit. Answers stand in the order of `events`. Concurrent
 * calls share transactions; events of one call are appended together or not at all.
 */
export function appendEvents(
  database: Database,
  tenantId: TenantId,
  events: readonly NewEvent[],
  clock: () => Date = () => new Date(),
): Promise<readonly Appended[]> {
  if (events.length === 0) return Promise.resolve([])
  return appenderOf(database).append(
    tenantId,
    events.map((event) => stamped(tenantId, event, clock())),
  )
}

/**
 * Appends events in the caller's transaction, together with what they come from: a cursor, a tick, a letter. Whoever calls
 * it rings the sequencer once the transaction is committed.
 */
export async function appendWithin(
  tx: Transaction,
  tenantId: TenantId,
  events: readonly NewEvent[],
  now: Date,
): Promise<readonly Appended[]> {
  if (events.length === 0) return []
  const writes = events.map((event) => stamped(tenantId, event, now))
  const { written, winners } = await writeWithin(tx, writes)
  return writes.map((event) => {
    const answer = answerFor(event, written, winners)
    if (answer === null) throw new FibricError('NOT_FOUND', 'the tenant of the event is gone')
    return answer
  })
}

/** How many events of a domain wait in this process for their commit. */
export function waitingToAppend(database: Database, tenantId: TenantId): number {
  return appenderOf(database).waiting(tenantId)
}

const batchMax = 500
const batchesMax = 2

interface Request {
  readonly events: readonly EventWrite[]
  resolve(appended: readonly Appended[]): void
  reject(error: unknown): void
}

/** Gathers what comes in while a commit is under way, and takes domains in turn, so that a flood of one delays no other. */
class Appender {
  readonly #database: Database
  /** In the order of their turns. */
  readonly #queues = new Map<TenantId, Request[]>()
  /** Events in the queues: asked for with every request. */
  readonly #waiting = new Map<TenantId, number>()
  #running = 0

  constructor(database: Database) {
    this.#database = database
  }

  append(tenantId: TenantId, events: readonly EventWrite[]): Promise<readonly Appended[]> {
    return new Promise((resolve, reject) => {
      const queue = this.#queues.get(tenantId) ?? []
      queue.push({ events, resolve, reject })
      this.#queues.set(tenantId, queue)
      this.#waiting.set(tenantId, this.waiting(tenantId) + events.length)
      // What else this tick brings goes along.
      setImmediate(() => this.#start())
    })
  }

  waiting(tenantId: TenantId): number {
    return this.#waiting.get(tenantId) ?? 0
  }

  #start(): void {
    while (this.#running < batchesMax && this.#queues.size > 0) {
      this.#running++
      void this.#commit(this.#take()).finally(() => {
        this.#running--
        this.#start()
      })
    }
  }

  #take(): Request[] {
    const batch: Request[] = []
    let size = 0
    while (this.#queues.size > 0 && size < batchMax) {
      for (const [tenantId, queue] of [...this.#queues]) {
        const request = queue.shift()!
        batch.push(request)
        size += request.events.length
        const rest = this.waiting(tenantId) - request.events.length
        if (rest > 0) this.#waiting.set(tenantId, rest)
        else this.#waiting.delete(tenantId)
        // Its next turn comes after everyone else's.
        this.#queues.delete(tenantId)
        if (queue.length > 0) this.#queues.set(tenantId, queue)
        if (size >= batchMax) break
      }
    }
    return batch
  }

  async #commit(batch: readonly Request[]): Promise<void> {
    try {
      const answers = await writeBatch(this.#database, batch)
      batch.forEach((request, index) => {
        const answer = answers[index]!
        if (answer instanceof Error) request.reject(answer)
        else request.resolve(answer)
      })
    } catch (error) {
      // One request's trouble must not become another's: each is tried by itself, unless nothing can be reached or the
      // commit may have happened.
      if (batch.length === 1 || isUnavailable(error)) for (const request of batch) request.reject(error)
      else for (const request of batch) await this.#commit([request])
    }
  }
}

const appenders = new WeakMap<Database, Appender>()

function appenderOf(database: Database): Appender {
  const known = appenders.get(database)
  if (known) return known
  const appender = new Appender(database)
  appenders.set(database, appender)
  return appender
}

function isUnavailable(error: unknown): boolean {
  return error instanceof FibricError && error.code === 'DATABASE_UNAVAILABLE'
}

/**
 * One round trip; who holds the keys that were taken is asked for after it, for then they are settled. After the commit
 * nothing throws any more: the batch must not be tried again.
 */
async function writeBatch(database: Database, batch: readonly Request[]): Promise<(readonly Appended[] | Error)[]> {
  const events = batch.flatMap((request) => request.events)
  const tenants = [...new Set(events.map((event) => event.tenantId))]
  const keyed = events.some((event) => event.key !== null)
  const written = await database.asWorker(tenants, (tx) => writeKeyed(tx, events, keyed), { oneTrip: true })
  if (written.size > 0) sequencerOf(database).ring(tenants)
  const lost = lostOf(events, written)
  const winners = lost.length === 0 ? noWinners : await settledWinners(database, tenants, lost)
  return batch.map((request) => {
    // What was appended is: only whoever lost a key is told that its holder could not be asked for.
    if (winners instanceof Error && lostOf(request.events, written).length > 0) return winners
    const known = winners instanceof Error ? noWinners : winners
    const answers = request.events.map((event) => answerFor(event, written, known))
    return answers.every((answer) => answer !== null)
      ? answers
      : new FibricError('NOT_FOUND', 'the tenant of the event is gone')
  })
}

/** What went in, and who holds the keys of what did not. */
async function writeWithin(tx: Transaction, events: readonly EventWrite[]) {
  const keyed = events.some((event) => event.key !== null)
  const written = await writeKeyed(tx, events, keyed)
  const lost = lostOf(events, written)
  return { written, winners: lost.length === 0 ? noWinners : await readWinners(tx, lost) }
}

/** Sent together: the lock is held before the statement takes its snapshot. */
async function writeKeyed(tx: Transaction, events: readonly EventWrite[], keyed: boolean): Promise<Set<string>> {
  const [, written] = await Promise.all([keyed ? shareIngestKeys(tx) : null, writeEvents(tx, events)])
  return written
}

type KeyedWrite = EventWrite & { readonly key: string }

function lostOf(events: readonly EventWrite[], written: ReadonlySet<string>): KeyedWrite[] {
  return events.filter((event): event is KeyedWrite => event.key !== null && !written.has(event.eventId))
}

async function readWinners(tx: Transaction, lost: readonly KeyedWrite[]): Promise<ReadonlyMap<string, Claim>> {
  const claims = await readClaims(tx, lost)
  return new Map(claims.map((claim) => [claimKey(claim.tenant_id, claim.source, claim.idempotency_key), claim]))
}

async function settledWinners(
  database: Database,
  tenants: readonly TenantId[],
  lost: readonly KeyedWrite[],
): Promise<ReadonlyMap<string, Claim> | Error> {
  try {
    return await database.asWorker(tenants, (tx) => readWinners(tx, lost), { access: 'read only' })
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error))
  }
}

const noWinners: ReadonlyMap<string, Claim> = new Map()

function answerFor(
  event: EventWrite,
  written: ReadonlySet<string>,
  winners: ReadonlyMap<string, Claim>,
): Appended | null {
  if (written.has(event.eventId)) {
    const { eventId, correlationId, receivedAt } = event
    return { outcome: 'appended', eventId, correlationId, receivedAt }
  }
  const winner = event.key === null ? undefined : winners.get(claimKey(event.tenantId, event.source, event.key))
  if (!winner) return null
  return { outcome: winner.digest.equals(event.digest) ? 'duplicate' : 'conflict', eventId: winner.event_id }
}

function claimKey(tenantId: string, source: string, key: string): string {
  return JSON.stringify([tenantId, source, key])
}

function stamped(tenantId: TenantId, event: NewEvent, now: Date): EventWrite {
  const payload = payloadBytes(event.payload)
  const body = event.body ?? null
  const received = body === null ? null : Buffer.from(body.buffer, body.byteOffset, body.byteLength)
  return {
    tenantId,
    eventId: mintId('event', now.getTime(), randomBytes(10)),
    receivedAt: now.toISOString(),
    workspaceId: event.workspaceId ?? null,
    source: event.source,
    eventType: event.eventType,
    correlationId: event.correlationId ?? mintId('correlation', now.getTime(), randomBytes(10)),
    agentId: event.agentId ?? null,
    sessionId: event.sessionId ?? null,
    depth: event.depth ?? 0,
    key: event.key ?? null,
    digest: contentDigest(event),
    origin: event.origin,
    body: received,
    // Not stored twice where the sender wrote it as we would.
    payload: received?.equals(payload) ? null : payload,
  }
}

/** Refuses what only the platform itself may say. For every door but our own code. */
export function refuseReserved(event: { readonly source: string; readonly eventType: string }): void {
  if (!isReserved(event)) return
  throw new FibricError(
    'RESERVED_SOURCE',
    `source \`${event.source}\` with type \`${event.eventType}\` is reserved for the platform`,
    { hint: 'sources git, cron, fibric and operator:*, and types git.** and fibric.**, come from Fibric itself' },
  )
}
