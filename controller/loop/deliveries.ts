import { randomBytes } from 'node:crypto'
import { mintId } from '../domain/ids.ts'
import { keepableText } from '../domain/keepable.ts'
import type { Delivery } from '../seams/event-bus.ts'
import type { Database } from '../store/connect.ts'
import { beginRun, findRun } from '../store/runs.ts'
import { isTriggeredBy, type OperatorInForce } from './operators.ts'
import type { Recorder } from './recorder.ts'
import { type Occasion, type RunParts, type RunResult, runOperator } from './run.ts'

/** After so many deaths a run goes to the dead letters, and the stream goes on. */
export const deathsMax = 5

/** How many deliveries after a start are noted before they run: one of them may be what killed the process. */
const cautiousRuns = 64

/** Runs one operator over what the event bus brings. Each delivery ends as one run, however often it is brought. */
export class Runner {
  readonly #parts: RunParts
  readonly #database: Database
  readonly #recorder: Recorder
  readonly #cautious = new Map<string, number>()

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
    try {
      const result = await runOperator(this.#parts, operator, occasion, known.runId)
      const kept = await this.#recorder.record({ operator, occasion, runId: known.runId, deaths, result })
      return kept ? result : null
    } catch (error) {
      await this.#die(operator, occasion, known, keepableText((error as Error).message))
      throw error
    }
  }

  /** Soon after a start, what is about to run is noted first, and counted as a death until it ends. */
  async #begin(operator: OperatorInForce, occasion: Occasion, runId: string): Promise<Begun | 'ended'> {
    const seen = this.#cautious.get(operator.id) ?? 0
    if (seen >= cautiousRuns) return { runId, deaths: 0, cause: null, counted: false }
    this.#cautious.set(operator.id, seen + 1)
    const tenant = operator.domain.tenant_id
    const known = await this.#database.asWorker(
      [tenant],
      (tx) => findRun(tx, tenant, operator.id, occasion.deliveryId),
      {
        access: 'read only',
      },
    )
    if (known !== null && known.state !== 'begun') return 'ended'
    const deaths = (known?.deaths ?? 0) + 1
    const begun = { runId: known?.run_id ?? runId, deaths, cause: known?.cause ?? null, counted: true }
    await this.#note(operator, occasion, begun)
    return begun
  }

  /** A failure that is tried again is a death; while runs are noted beforehand it is counted already. */
  async #die(operator: OperatorInForce, occasion: Occasion, begun: Begun, cause: string): Promise<void> {
    // From now on this operator's deliveries are looked up again: this one comes back.
    this.#cautious.set(operator.id, 0)
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
