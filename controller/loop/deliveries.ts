import { randomBytes } from 'node:crypto'
import { mintId } from '../domain/ids.ts'
import { keepableText } from '../domain/keepable.ts'
import type { Delivery } from '../seams/event-bus.ts'
import type { Database } from '../store/connect.ts'
import { isPassing } from '../store/database-error.ts'
import { beginRun, findRun } from '../store/runs.ts'
import { ModelUnavailable } from './model.ts'
import { isTriggeredBy, type OperatorInForce } from './operators.ts'
import type { Recorder } from './recorder.ts'
import { type Occasion, type RunParts, type RunResult, runOperator } from './run.ts'
import { Turns } from './turns.ts'

/** After so many deaths a run goes to the dead letters, and the stream goes on. */
export const deathsMax = 5

/** How many deliveries after a start are noted before they run: one of them may be what killed the process. */
const cautiousRuns = 64

/** How long one that may be what killed the process has it for itself. */
const aloneMs = 5000

/** Runs one operator over what the event bus brings. Each delivery ends as one run, however often it is brought. */
export class Runner {
  readonly #parts: RunParts
  readonly #database: Database
  readonly #recorder: Recorder
  readonly #cautious = new Map<string, number>()
  readonly #turns = new Turns()

  constructor(parts: RunParts, database: Database, recorder: Recorder) {
    this.#parts = parts
    this.#database = database
    this.#recorder = recorder
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
    if (deaths > deathsMax)
      return this.#bury(operator, occasion, known.runId, deaths, known.cause ?? 'its process died')
    const work = (): Promise<RunResult | null> => this.#work(operator, occasion, known)
    return known.suspect ? this.#turns.alone(work, aloneMs) : this.#turns.beside(work)
  }

  async #work(operator: OperatorInForce, occasion: Occasion, known: Begun): Promise<RunResult | null> {
    const { runId, deaths } = known
    try {
      if (known.suspect) await this.#note(operator, occasion, known)
      const result = await runOperator(this.#parts, operator, occasion, runId)
      const kept = await this.#recorder.record({ operator, occasion, runId, deaths, result })
      return kept ? result : null
    } catch (error) {
      if (error instanceof ModelUnavailable) await this.#wait(operator, occasion, known, error.message)
      // That the database was away says nothing of the run.
      else if (!isPassing(error)) await this.#die(operator, occasion, known, keepableText((error as Error).message))
      // From now on this operator's deliveries are looked up again: this one comes back.
      this.#cautious.set(operator.id, 0)
      throw error
    }
  }

  /**
   * Soon after a start, what is about to run is noted first. What a process had under way when it died runs again alone, and
   * only that is a death of its own: those that were merely beside it are not to blame.
   */
  async #begin(operator: OperatorInForce, occasion: Occasion, runId: string): Promise<Begun | 'ended'> {
    const seen = this.#cautious.get(operator.id) ?? 0
    if (seen >= cautiousRuns) return { runId, deaths: 0, cause: null, suspect: false, counted: false }
    this.#cautious.set(operator.id, seen + 1)
    const tenant = operator.domain.tenant_id
    const known = await this.#database.asWorker(
      [tenant],
      (tx) => findRun(tx, tenant, operator.id, occasion.deliveryId),
      {
        access: 'read only',
      },
    )
    if (known === null) {
      const begun = { runId, deaths: 0, cause: null, suspect: false, counted: false }
      await this.#note(operator, occasion, begun)
      return begun
    }
    if (known.state !== 'begun') return 'ended'
    const { run_id, cause } = known
    const begun = { runId: run_id, deaths: known.deaths + 1, cause, suspect: cause === null, counted: true }
    if (!begun.suspect && begun.deaths <= deathsMax) await this.#note(operator, occasion, { ...begun, cause: null })
    return begun
  }

  /** It waits for others, as often as it has to: the attempt is taken back, and the stream of its operator waits with it. */
  #wait(operator: OperatorInForce, occasion: Occasion, begun: Begun, cause: string): Promise<void> {
    const deaths = begun.counted ? begun.deaths - 1 : begun.deaths
    return this.#note(operator, occasion, { ...begun, deaths, cause: keepableText(cause) })
  }

  /** A failure that is tried again is a death too; where the attempt was noted as one it is counted already. */
  async #die(operator: OperatorInForce, occasion: Occasion, begun: Begun, cause: string): Promise<void> {
    const tenant = operator.domain.tenant_id
    const known = begun.counted
      ? null
      : await this.#database.asWorker([tenant], (tx) => findRun(tx, tenant, operator.id, occasion.deliveryId), {
          access: 'read only',
        })
    if (known !== null && known.state !== 'begun') return
    const deaths = begun.counted ? begun.deaths : (known?.deaths ?? 0) + 1
    await this.#note(operator, occasion, { ...begun, runId: known?.run_id ?? begun.runId, deaths, cause })
  }

  #note(operator: OperatorInForce, occasion: Occasion, begun: Begun): Promise<void> {
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

  async #bury(operator: OperatorInForce, occasion: Occasion, runId: string, deaths: number, cause: string) {
    const result = { kind: 'dead' as const, cause: `died ${deaths - 1} times: ${cause}` }
    await this.#recorder.record({ operator, occasion, runId, deaths, result })
    return result
  }
}

interface Begun {
  readonly runId: string
  readonly deaths: number
  readonly cause: string | null
  /** It was under way when its process died, and nobody knows of what. */
  readonly suspect: boolean
  /** Whether this very attempt is among the deaths already. */
  readonly counted: boolean
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
