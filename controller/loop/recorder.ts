import { randomBytes } from 'node:crypto'
import { digestBytes } from '../domain/digest.ts'
import { mintId, type ReceiptId, type TenantId } from '../domain/ids.ts'
import type { JsonObject } from '../domain/json.ts'
import { keepableText } from '../domain/keepable.ts'
import { controlEntry } from '../domain/receipt.ts'
import { withRetry } from '../executor/config/with-retry.ts'
import type { Executor } from '../executor/effects/executor.ts'
import { type DraftedPlan, recordPlans } from '../executor/effects/record.ts'
import type { Database } from '../store/connect.ts'
import { isPassing } from '../store/database-error.ts'
import { writeDeadLetter } from '../store/dead-letters.ts'
import { writeEvidence } from '../store/evidence.ts'
import { appendEntries } from '../store/ledger.ts'
import { type RunRow, writeRuns } from '../store/runs.ts'
import type { Transaction } from '../store/tenancy.ts'
import type { OperatorInForce } from './operators.ts'
import type { Occasion, RunResult } from './run.ts'

/** A run that ended, on its way to being kept. */
export interface EndedRun {
  readonly operator: OperatorInForce
  readonly occasion: Occasion
  readonly runId: string
  readonly deaths: number
  readonly result: RunResult | { readonly kind: 'dead'; readonly cause: string }
}

const batchMax = 64
/** How long a proposal waits for a place with the executor beside it before it waits in the queue like others. */
const patienceMsDefault = 100

interface Pending {
  readonly run: EndedRun
  readonly sinceMs: number
  /** Whether the executor may take on what it proposed. */
  readonly handsOver: boolean
  resolve(kept: boolean): void
  reject(error: unknown): void
}

/**
 * Keeps runs with what they proposed; those that end while others are being written are written together. What the executor of
 * the same process has a place for is taken on with that.
 */
export class Recorder {
  readonly #database: Database
  readonly #clock: () => Date
  readonly #executor: Executor | null
  readonly #patienceMs: number
  #pending: Pending[] = []
  #writing = false
  #waits = false

  /** Without an executor, what is proposed waits in the queue. */
  constructor(database: Database, clock: () => Date, executor: Executor | null, patienceMs = patienceMsDefault) {
    this.#database = database
    this.#clock = clock
    this.#executor = executor
    this.#patienceMs = patienceMs
  }

  /** Resolves once the run is durable; false when another delivery of the same event had ended it. */
  record(run: EndedRun): Promise<boolean> {
    return new Promise((resolve, reject) => {
      this.#pending.push({ run, sinceMs: performance.now(), handsOver: false, resolve, reject })
      // It may go at once where those before it have to wait.
      if (this.#waits) this.#executor!.noteChange()
      void this.#work()
    })
  }

  async #work(): Promise<void> {
    if (this.#writing) return
    this.#writing = true
    await new Promise((resolve) => setImmediate(resolve))
    while (this.#pending.length > 0) {
      const batch = this.#take()
      if (batch.length === 0) {
        this.#waits = true
        await this.#executor!.untilChanged(this.#patienceLeft())
        this.#waits = false
        continue
      }
      try {
        const kept = await this.#writeWith(batch)
        for (const [index, each] of batch.entries()) each.resolve(kept[index]!)
      } catch (error) {
        await this.#oneByOne(batch, error)
      }
    }
    this.#writing = false
  }

  /**
   * Those that are written now. What the executor may take on with that waits until it has places for it, no longer than
   * patience lasts, and then goes to the queue; nothing of a tenant passes what waits of it, and no other tenant waits for it.
   * No two of one delivery: PostgreSQL writes a row once a statement.
   */
  #take(): Pending[] {
    const batch: Pending[] = []
    const deliveries = new Set<string>()
    const waiting = new Set<TenantId>()
    let places = this.#executor?.freePlaces ?? 0
    for (const each of [...this.#pending]) {
      const { operator, occasion } = each.run
      const tenant = operator.domain.tenant_id
      const delivery = `${operator.id} ${occasion.deliveryId}`
      const ready = readyOf(each.run)
      const handsOver = ready > 0 && ready <= places && !waiting.has(tenant) && this.#executor!.mayHandOver(tenant)
      const isPatient =
        ready > 0 && this.#executor?.isEnding === false && performance.now() - each.sinceMs < this.#patienceMs
      const isAgain = deliveries.has(delivery)
      // Also behind what goes to the queue now: its place there is not written yet.
      if (isAgain || (ready > 0 && !handsOver)) waiting.add(tenant)
      if (isAgain || (isPatient && !handsOver)) continue
      deliveries.add(delivery)
      if (handsOver) places -= ready
      batch.push({ ...each, handsOver })
      if (batch.length === batchMax) break
    }
    const taken = new Set(batch.map(({ run }) => run))
    this.#pending = this.#pending.filter(({ run }) => !taken.has(run))
    return batch
  }

  #patienceLeft(): number {
    return Math.max(1, this.#patienceMs - (performance.now() - this.#pending[0]!.sinceMs))
  }

  /** What cannot be written must not keep others from being written. */
  async #oneByOne(batch: readonly Pending[], error: unknown): Promise<void> {
    if (batch.length === 1) return batch[0]!.reject(error)
    for (const each of batch) {
      await this.#writeWith([each]).then(([kept]) => each.resolve(kept!), each.reject)
    }
  }

  /** With what the executor takes on of it; without, where the database refuses that. */
  async #writeWith(batch: readonly Pending[]): Promise<boolean[]> {
    const now = this.#clock()
    const runs = batch.map(({ run }) => run)
    const handed = batch.filter(({ handsOver }) => handsOver).map(({ run }) => run)
    if (handed.length > 0) {
      const handOver = await this.#executor!.handOver(plansOf(handed), now)
      try {
        const kept = await this.#write(runs, now, (tx, plans) => handOver.record(tx, plans))
        this.#executor!.start(handOver)
        return kept
      } catch (error) {
        this.#executor!.drop(handOver)
        if (!handOver.claims || isPassing(error)) throw error
      }
    }
    const kept = await this.#write(runs, now, (tx, plans) => recordPlans(tx, plans, now))
    if (runs.some((run) => readyOf(run) > 0)) this.#executor?.noteQueued()
    return kept
  }

  #write(runs: readonly EndedRun[], now: Date, record: RecordPlans): Promise<boolean[]> {
    const tenants = [...new Set(runs.map(({ operator }) => operator.domain.tenant_id))]
    return withRetry(() =>
      this.#database.asWorker(tenants, async (tx) => {
        const rows = runs.map((run) => rowOf(run, now))
        const noted = await writeRuns(tx, rows)
        const kept = rows.map(noted)
        const mine = runs.filter((_, index) => kept[index])
        await record(tx, plansOf(mine))
        for (const { operator, result } of mine) {
          const witness = witnessOf(result)
          if (witness === null) continue
          const seen = { digest: digestBytes(witness), purpose: 'witness', bytes: witness } as const
          await writeEvidence(tx, operator.domain, now.toISOString(), seen)
        }
        for (const [index, run] of runs.entries()) {
          const entry = kept[index] ? entryOf(run, rows[index]!, now) : null
          if (!entry) continue
          const { tenant_id, reseller_id } = run.operator.domain
          await appendEntries(tx, tenant_id, reseller_id, now.toISOString(), [entry])
          const letter = letterOf(run, now)
          if (letter !== null) await writeDeadLetter(tx, letter)
        }
        return kept
      }),
    )
  }
}

type RecordPlans = (tx: Transaction, plans: readonly DraftedPlan[]) => Promise<void>

function plansOf(runs: readonly EndedRun[]): DraftedPlan[] {
  return runs.flatMap(({ result }) => (result.kind === 'proposed' ? [result.plan] : []))
}

/** How many of its actions may start once it is kept. */
function readyOf({ result }: EndedRun): number {
  return result.kind === 'proposed' ? result.plan.effects.filter(({ ready }) => ready).length : 0
}

function rowOf({ operator, occasion, runId, deaths, result }: EndedRun, now: Date) {
  const witness = witnessOf(result)
  const refused = result.kind === 'rejected' || result.kind === 'dead'
  return {
    tenant_id: operator.domain.tenant_id,
    reseller_id: operator.domain.reseller_id,
    run_id: runId,
    operator_id: operator.id,
    operator: operator.address,
    delivery_id: occasion.deliveryId,
    event_id: occasion.event?.event_id ?? null,
    correlation_id: occasion.correlationId,
    depth: occasion.depth,
    state: result.kind === 'proposed' || result.kind === 'nothing' ? 'recorded' : result.kind,
    deaths,
    cause: refused ? keepableText(result.cause) : null,
    plan_id: result.kind === 'proposed' ? result.plan.draft.planId : null,
    witness_digest: witness && digestBytes(witness),
    entry_id: refused ? mintId('receipt', now.getTime(), randomBytes(10)) : null,
    created_at: now.toISOString(),
    ended_at: now.toISOString(),
  } as const satisfies RunRow & { readonly reseller_id: string | null }
}

function witnessOf(result: EndedRun['result']): Buffer | null {
  return ('witness' in result ? result.witness : null) ?? null
}

/** A run that proposed nothing because it could not leaves an entry that says why: silence is not evidence. */
function entryOf({ operator, occasion, result }: EndedRun, row: ReturnType<typeof rowOf>, now: Date) {
  if (result.kind !== 'rejected' && result.kind !== 'dead') return null
  return controlEntry(row.entry_id as ReceiptId, `run.${result.kind}`, {
    tenantId: operator.domain.tenant_id,
    person: `operator:${operator.name}`,
    at: now.toISOString(),
    details: {
      run_id: row.run_id,
      operator: operator.address,
      operator_digest: operator.digest,
      event_id: row.event_id,
      correlation_id: occasion.correlationId,
      cause: row.cause,
      // By digest: what a model was asked, and what it answered that could not be used.
      ...(result.kind === 'rejected' && result.evidence ? { model: result.evidence as unknown as JsonObject } : {}),
    },
  })
}

/** The event of a run that died too often, kept so that a person may have it delivered again. */
function letterOf({ operator, occasion: { event, key }, result }: EndedRun, now: Date) {
  if (result.kind !== 'dead' || event === null) return null
  return {
    tenant_id: operator.domain.tenant_id,
    letter_id: mintId('deadLetter', now.getTime(), randomBytes(10)),
    reason: 'run_died',
    message: result.cause,
    source: event.source,
    event_type: event.event_type,
    event_id: event.event_id,
    consumer: `operator:${operator.id}`,
    idempotency_key: key,
    origin: 'run',
    request: null,
    body: null,
    created_at: now.toISOString(),
    redriven_at: null,
    redriven_by: null,
    redriven_to: null,
  } as const
}
