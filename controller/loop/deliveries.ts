import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { mintId } from '../domain/ids.ts'
import { keepableText } from '../domain/keepable.ts'
import type { Delivery } from '../seams/event-bus.ts'
import type { Database } from '../store/connect.ts'
import { isPassing } from '../store/database-error.ts'
import { beginRun, findRun, type RunRow } from '../store/runs.ts'
import { ModelUnavailable } from './model.ts'
import { isTriggeredBy, type OperatorInForce } from './operators.ts'
import type { Recorder } from './recorder.ts'
import { type Occasion, type RunParts, type RunResult, runOperator } from './run.ts'
import { SourceAway } from './sense.ts'
import { Turns } from './turns.ts'

/** After so many deaths a run goes to the dead letters, and the stream goes on. */
export const deathsMax = 5

/** How many runs of an operator are noted before they run, after a start: one of them may be what killed the process. */
const cautiousRuns = 64

export interface Patience {
  /** How long one that may be what killed the process has it for itself, and how long once a process died of it, it seems. */
  readonly aloneMs: number
  readonly aloneAgainMs: number
  /** How long a process has to live before it tries one again that it may have died of; each further death doubles it. */
  readonly calmMs: number
  /** How long a run waits for a provider that is away; from then on each try is a death, so that the stream goes on. */
  readonly awayMs: number
}

const patienceDefault: Patience = { aloneMs: 1000, aloneAgainMs: 5000, calmMs: 1000, awayMs: 15 * 60_000 }

/**
 * Runs one operator over what the event bus brings. Each delivery ends as one run, however often it is brought.
 *
 * A run is to blame for a death of its process only if it had begun and was alone: what was under way at a death runs again
 * with nothing beside it. And since processes die of much else, one that dies again and again at whatever moment must not
 * convict the run that comes first: after each death a run waits twice as long before it is tried again.
 */
export class Runner {
  readonly #parts: RunParts
  readonly #database: Database
  readonly #recorder: Recorder
  readonly #patience: Patience
  readonly #cautious = new Map<string, number>()
  /** Attempts of this process that ended without being noted, with their deaths: it lives, so nobody died of them. */
  readonly #outlived = new Map<string, number>()
  readonly #turns = new Turns()

  constructor(parts: RunParts, database: Database, recorder: Recorder, patience: Partial<Patience> = {}) {
    this.#parts = parts
    this.#database = database
    this.#recorder = recorder
    this.#patience = { ...patienceDefault, ...patience }
  }

  /** Rejects for what is worth trying again; the bus then brings the delivery again. */
  async deliver(operator: OperatorInForce, delivery: Delivery): Promise<void> {
    if (!isTriggeredBy(operator.trigger, delivery.event.event_type)) return
    await this.run(operator, occasionOf(delivery))
  }

  /** The run of an occasion; null when it had ended before. */
  async run(
    operator: OperatorInForce,
    occasion: Occasion,
  ): Promise<RunResult | { kind: 'dead'; cause: string } | null> {
    const now = this.#parts.clock()
    const runId = mintId('run', now.getTime(), randomBytes(10))
    const known = await this.#begin(operator, occasion, runId)
    if (known === 'ended') return null
    const { deaths } = known
    const { aloneMs, aloneAgainMs, calmMs } = this.#patience
    if (deaths >= deathsMax) return this.#bury(operator, occasion, known)
    if (!known.suspect) return this.#turns.beside(() => this.#work(operator, occasion, known))
    if (deaths > 0) await sleep(calmMs * 2 ** (deaths - 1), undefined, { signal: this.#parts.signal })
    const alone = async (): Promise<RunResult | null> => {
      // Counted before it begins: were it what kills the process, nobody could do so afterwards.
      await this.#note(operator, occasion, { ...known, deaths: deaths + 1, cause: null })
      return this.#work(operator, occasion, known)
    }
    return this.#turns.alone(alone, deaths > 0 ? aloneAgainMs : aloneMs)
  }

  async #work(operator: OperatorInForce, occasion: Occasion, known: Begun): Promise<RunResult | null> {
    const { runId, deaths } = known
    try {
      const result = await runOperator(this.#parts, operator, occasion, runId)
      const kept = await this.#recorder.record({ operator, occasion, runId, deaths, result })
      return kept ? result : null
    } catch (error) {
      const cause = keepableText((error as Error).message)
      const key = keyOf(operator, occasion)
      // From now on this operator's deliveries are looked up again: this one comes back.
      this.#cautious.set(operator.id, 0)
      if (known.noted) this.#outlived.set(key, deaths)
      // That the database is away says nothing of the run, and cannot be noted either.
      if (isPassing(error)) throw error
      const isAway = error instanceof SourceAway && this.#parts.clock().getTime() - known.since < this.#patience.awayMs
      const waits = isAway || error instanceof ModelUnavailable || (known.noted && this.#parts.signal.aborted)
      // Nor does it that a model or a provider is away or the process told to end: it waits, as often as it has to.
      if (waits) await this.#note(operator, occasion, { ...known, cause })
      else await this.#die(operator, occasion, known, cause)
      this.#outlived.delete(key)
      throw error
    }
  }

  /** Soon after a start, what is about to run is noted first; what was under way when its process died is told by that. */
  async #begin(operator: OperatorInForce, occasion: Occasion, runId: string): Promise<Begun | 'ended'> {
    const seen = this.#cautious.get(operator.id) ?? 0
    const since = this.#parts.clock().getTime()
    const fresh = { runId, deaths: 0, cause: null, suspect: false, since }
    if (seen >= cautiousRuns) return { ...fresh, noted: false }
    const known = await this.#find(operator, occasion)
    if (known !== null && known.state !== 'begun') return 'ended'
    // What had ended before is not counted: a stream whose first hundred are through may die of the next.
    this.#cautious.set(operator.id, (this.#cautious.get(operator.id) ?? 0) + 1)
    const outlived = this.#outlived.get(keyOf(operator, occasion))
    this.#outlived.delete(keyOf(operator, occasion))
    const begun: Begun = {
      ...(known === null ? fresh : begunFrom(known, outlived)),
      suspect: known !== null && known.cause === null && outlived === undefined,
      noted: true,
    }
    if (!begun.suspect && begun.deaths < deathsMax) await this.#note(operator, occasion, { ...begun, cause: null })
    return begun
  }

  /** A failure that is tried again is a death too. */
  async #die(operator: OperatorInForce, occasion: Occasion, begun: Begun, cause: string): Promise<void> {
    const known = begun.noted ? null : await this.#find(operator, occasion)
    if (known !== null && known.state !== 'begun') return
    const { run_id: runId, deaths } = known ?? { run_id: begun.runId, deaths: begun.deaths }
    await this.#note(operator, occasion, { runId, deaths: deaths + 1, cause })
  }

  #find(operator: OperatorInForce, occasion: Occasion): Promise<RunRow | null> {
    const tenant = operator.domain.tenant_id
    return this.#database.asWorker([tenant], (tx) => findRun(tx, tenant, operator.id, occasion.deliveryId), {
      access: 'read only',
    })
  }

  #note(
    operator: OperatorInForce,
    occasion: Occasion,
    begun: Pick<Begun, 'runId' | 'deaths' | 'cause'>,
  ): Promise<void> {
    const { tenant_id, reseller_id } = operator.domain
    return this.#database.asWorker([tenant_id], (tx) =>
      beginRun(tx, reseller_id, {
        tenant_id,
        run_id: begun.runId,
        operator_id: operator.id,
        operator: operator.address,
        delivery_id: occasion.deliveryId,
        event_id: occasion.event?.event_id ?? null,
        correlation_id: occasion.correlationId,
        depth: occasion.depth,
        deaths: begun.deaths,
        cause: begun.cause,
        created_at: this.#parts.clock().toISOString(),
      }),
    )
  }

  async #bury(operator: OperatorInForce, occasion: Occasion, { runId, deaths, cause }: Begun) {
    const result = { kind: 'dead' as const, cause: `died ${deaths} times: ${cause ?? 'its process died'}` }
    await this.#recorder.record({ operator, occasion, runId, deaths, result })
    return result
  }
}

interface Begun {
  readonly runId: string
  /** How often it died before this attempt. */
  readonly deaths: number
  /** Of what it died last, or why it waited; null: it was under way when its process died, or never. */
  readonly cause: string | null
  /** It was under way when its process died, and nobody knows of what. */
  readonly suspect: boolean
  readonly noted: boolean
  /** When it was first begun, in milliseconds. */
  readonly since: number
}

function begunFrom(row: RunRow, outlived: number | undefined) {
  const { run_id: runId, deaths, cause, created_at: since } = row
  return { runId, deaths: outlived ?? deaths, cause, since: Date.parse(since) }
}

function keyOf(operator: OperatorInForce, { deliveryId }: Occasion): string {
  return `${operator.id} ${deliveryId}`
}

export function occasionOf(delivery: Delivery): Occasion {
  const { event, replayId, key, depth } = delivery
  return {
    deliveryId: replayId === null ? event.event_id : `${replayId}:${event.event_id}`,
    event,
    key: key ?? event.event_id,
    correlationId: event.correlation_id,
    depth,
  }
}
