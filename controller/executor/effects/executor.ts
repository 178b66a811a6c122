import { setTimeout as sleep } from 'node:timers/promises'
import type { TenantId } from '../../domain/ids.ts'
import { closeBreaker, noteNotDone } from '../../store/breakers.ts'
import type { Database } from '../../store/connect.ts'
import { isPassing } from '../../store/database-error.ts'
import type { DueRow } from '../../store/effect-queue.ts'
import { readLostFences } from '../../store/leases.ts'
import { carryOut } from './carry-out.ts'
import type { EffectConnector } from './connector.ts'
import type { ExecutorContext, ExecutorSettings } from './context.ts'
import { batchMax, Due, type Only } from './due.ts'
import { HandOver, readyRows } from './hand-over.ts'
import { backoffMs } from './outcome.ts'
import { type Kept, Places, shareMax } from './places.ts'
import { giveBack } from './probes.ts'
import type { DraftedPlan } from './record.ts'
import { recover, recoverLeases, recoverPlans } from './recover.ts'
import { RulesCache } from './rules-cache.ts'
import type { Outcome } from './settle.ts'
import { Settler } from './settler.ts'
import { type Taken, type TakenOn, takeOn } from './take-on.ts'
import { Versions } from './versions.ts'

export const executorSettings: ExecutorSettings = {
  maxInFlight: 64,
  maxBlindInFlight: 4,
  leaseMarginMs: 20_000,
  breakerAfter: 5,
  backoffMs,
  idleMs: 100,
  lookMs: 100,
  recoverEveryMs: 1000,
  approvalsExpireInMs: 72 * 3_600_000,
}

export interface ExecutorOptions {
  readonly database: Database
  readonly connector: EffectConnector
  readonly clock: () => Date
  readonly settings?: Partial<ExecutorSettings>
  readonly onFailure?: (error: unknown, doing: string) => void
}

export type { Only } from './due.ts'

const batchLeast = 16
/** Holds and plans that nobody went on with are looked for in every domain: so many times less often than leases. */
const plansEvery = 5
const plansEveryAtRest = 30
/** After so many looks that found nothing, the next ones come so many times more slowly: whoever proposes here says so. */
const restAfter = 50
const restSlower = 8

/** The executor of effects of one process. Any number of them may work on one database. */
export class Executor {
  readonly context: ExecutorContext
  readonly #places: Places
  readonly #settler: Settler
  readonly #due: Due
  #wake: (() => void) | null = null
  #nudged = false
  #foundNothing = false
  /** What the last look at the queue told: when, and which tenants have work there. */
  #look: { readonly atMs: number; readonly due: ReadonlySet<TenantId> } = {
    atMs: Number.NEGATIVE_INFINITY,
    due: new Set(),
  }
  #isEnding = false
  #idleRounds = 0

  constructor(options: ExecutorOptions) {
    this.#due = new Due(options.database)
    this.context = {
      database: options.database,
      connector: options.connector,
      clock: options.clock,
      rules: new RulesCache(options.database, options.clock),
      versions: new Versions(options.connector, () => this.nudge()),
      settings: { ...executorSettings, ...options.settings },
      onFailure: options.onFailure ?? (() => {}),
    }
    this.#places = new Places(this.context.settings)
    this.#settler = new Settler(this.context, () => this.nudge())
  }

  /** There may be something to do: look now. */
  nudge(): void {
    this.#nudged = true
    this.#wake?.()
  }

  /** Works until `signal` aborts; what is under way then is waited for, as long as its deadlines say. */
  async run(signal: AbortSignal): Promise<void> {
    const stop = (): void => {
      this.#isEnding = true
      this.#places.tell()
      this.nudge()
    }
    signal.addEventListener('abort', stop, { once: true })
    const guards = this.#keepWatch(signal)
    let recoveredMs = Number.NEGATIVE_INFINITY
    let plansMs = Number.NEGATIVE_INFINITY
    while (!signal.aborted) {
      this.#nudged = false
      const moved = await this.#guarded('taking actions on', () => this.step(), false)
      if (performance.now() - recoveredMs >= this.context.settings.recoverEveryMs) {
        recoveredMs = performance.now()
        await this.#guarded('recovering', () => recoverLeases(this.context), false)
      }
      const every = this.#idleRounds > restAfter ? plansEveryAtRest : plansEvery
      if (performance.now() - plansMs >= this.context.settings.recoverEveryMs * every) {
        plansMs = performance.now()
        await this.#guarded('recovering', () => recoverPlans(this.context), false)
      }
      this.#idleRounds = moved || this.#nudged || !this.#places.areAllFree ? 0 : this.#idleRounds + 1
      if (!moved && !signal.aborted) await this.#rest()
    }
    signal.removeEventListener('abort', stop)
    await this.idle()
    await guards
  }

  /** Works until nothing is due and nothing is under way: for one command without a controller beside it. */
  async drain(only?: Only): Promise<void> {
    for (;;) {
      if (await this.step(only)) continue
      if (await recover(this.context)) continue
      const { versions } = this.context
      const isIdle = this.#places.areAllFree && this.#settler.isIdle && !versions.isAwaited
      if (isIdle && this.#foundNothing) return
      await this.#rest()
    }
  }

  /** Waits for what is under way. */
  async idle(): Promise<void> {
    while (!this.#places.areAllFree || !this.#settler.isIdle) await this.#rest()
  }

  /** Takes one batch on. Whether anything moved. */
  async step(only?: Only): Promise<boolean> {
    this.#foundNothing = false
    const free = Math.min(batchMax, this.#places.free)
    if (free <= 0 || (free < this.#least && this.#places.inFlight.size > 0)) return false
    const inHand = new Set(this.#places.inFlight.keys())
    const lookedMs = performance.now()
    const rows = await this.#due.take(free, inHand, only)
    this.#foundNothing = rows.length === 0
    const kept = this.#places.keep(rows)
    // A tenant none of whose actions can be given a place, for its limits, holds up nothing else of its own.
    this.#look = { atMs: lookedMs, due: new Set([...kept.rows.map((row) => row.tenant_id), ...this.#due.unseen]) }
    this.#places.tell()
    if (this.#foundNothing) return false
    if (!only && rows.length === free) this.#due.lookAhead(inHand, rows)
    const { settled, moved } = await this.#takeOn(kept)
    if (settled.length > 0) {
      const outcomes = settled.map(
        ({ effect, next, releases }): Outcome => ({
          effect,
          from: 'unknown',
          fence: effect.row.fence!,
          next,
          attempt: effect.attempt,
          attempts: effect.row.attempts,
          reserved: releases,
        }),
      )
      await this.#settler.settleNow(outcomes)
    }
    return moved
  }

  async #takeOn(kept: Kept): Promise<TakenOn> {
    try {
      const result = await takeOn(this.context, kept.rows)
      for (const each of result.taken) this.#start(each)
      return result
    } finally {
      this.#places.giveBack(kept)
    }
  }

  /**
   * A claim costs about as much for one as for many: while plenty is under way, a few free places are waited out, but never as
   * many as one domain leaves to the others.
   */
  get #least(): number {
    return Math.min(batchLeast, Math.floor(this.context.settings.maxInFlight * (1 - shareMax)))
  }

  /**
   * For how many actions there are places now: none while few are free and plenty is under way. Whether one of a tenant may be
   * handed over, `mayHandOver` says.
   */
  get freePlaces(): number {
    const { free, areAllFree } = this.#places
    return !this.#isEnding && (areAllFree || free >= this.#least) ? free : 0
  }

  /**
   * Whether what a tenant's operators propose may be taken on before anything of it is recorded: not while the queue has work
   * of that tenant, as far as the last look told, which must not be long ago.
   */
  mayHandOver(tenant: TenantId): boolean {
    const { atMs, due } = this.#look
    const { lookMs } = this.context.settings
    if (performance.now() - atMs < (this.#places.areAllFree ? 10 * lookMs : lookMs)) return !due.has(tenant)
    this.nudge()
    return false
  }

  /** Resolves when places were freed, the queue was looked at or somebody said so, or after some time. */
  untilChanged(ms: number): Promise<void> {
    return this.#places.untilFreed(ms)
  }

  /** Whoever waits for a change looks again. */
  noteChange(): void {
    this.#places.tell()
  }

  /** Whether it ends: what is proposed from now on is for others to carry out. */
  get isEnding(): boolean {
    return this.#isEnding
  }

  /** Judges plans that are about to be recorded, and keeps places for what may be taken on with that. */
  async handOver(plans: readonly DraftedPlan[], now: Date): Promise<HandOver> {
    const rows = readyRows(plans, now)
    const kept = this.#places.keep(this.#isEnding ? [] : rows)
    try {
      return await HandOver.judge(this.context, rows, kept, now)
    } catch (error) {
      this.#places.giveBack(kept)
      if (isPassing(error)) throw error
      // What cannot be judged here is recorded all the same, and is looked at again in its turn.
      this.context.onFailure(error, 'judging what is proposed')
      return HandOver.judge(this.context, [], this.#places.keep([]), now)
    }
  }

  /** Carries out what was claimed: the transaction that recorded it has committed. */
  start(handOver: HandOver): void {
    for (const each of handOver.taken) this.#start(each)
    this.drop(handOver)
    if (handOver.left > 0) this.noteQueued()
  }

  /** Something was put into the queue: what comes after it may not pass it, until the next look tells. */
  noteQueued(): void {
    this.#look = { ...this.#look, atMs: Number.NEGATIVE_INFINITY }
    this.nudge()
  }

  /** Nothing of it was committed, as far as anybody knows. */
  drop({ kept }: HandOver): void {
    this.#places.giveBack(kept)
  }

  #start(taken: Taken): void {
    const signal = this.#places.start(taken)
    void this.#carryOut(taken, signal).finally(() => {
      this.#places.end(taken)
      this.nudge()
    })
  }

  async #carryOut(taken: Taken, signal: AbortSignal): Promise<void> {
    const { effect, state, fence, reserved } = taken
    const { next, attempt, reached } = await carryOut(this.context, taken, signal)
    const attempts = taken.attempt.number
    await this.#settler.settleSoon({ effect, from: state, fence, next, attempt, attempts, reserved })
    if (reached !== null || taken.probe !== null)
      await this.#guarded('minding a breaker', () => this.#mindBreaker(taken, reached, next.cause), undefined)
  }

  readonly #failing = new Set<string>()

  async #mindBreaker({ effect, probe }: Taken, reached: boolean | null, reason: string | null): Promise<void> {
    if (reached === null) return giveBack(this.context, probe === null ? [] : [probe])
    const { tenant_id: tenant } = effect.row
    const { connection } = effect.facts
    if (connection === null) return
    const id = `${tenant}\n${connection}`
    if (reached) {
      const failed = (effect.row as Partial<DueRow>).breaker_failures ?? 0
      if (!this.#failing.delete(id) && failed === 0) return
      await this.context.database.asWorker([tenant], (tx) => closeBreaker(tx, tenant, connection))
      return
    }
    this.#failing.add(id)
    const after = this.context.settings.breakerAfter
    await this.context.database.asWorker([tenant], (tx) =>
      noteNotDone(tx, tenant, connection, after, reason ?? 'not done'),
    )
  }

  /** Aborts requests whose action was taken away: killed by a person, or by a recovery that took us for dead. */
  async #keepWatch(signal: AbortSignal): Promise<void> {
    while (!signal.aborted || !this.#places.areAllFree) {
      const old = [...this.#places.inFlight.values()].filter(({ sinceMs }) => performance.now() - sinceMs > 250)
      if (old.length > 0)
        await this.#guarded('watching fences', () => this.#abortLost(old.map(({ taken }) => taken)), undefined)
      await sleep(250)
    }
  }

  async #abortLost(taken: readonly Taken[]): Promise<void> {
    const tenants: TenantId[] = [...new Set(taken.map(({ effect }) => effect.row.tenant_id))]
    const fences = taken.map(({ effect, fence }) => ({ action: effect.row.action_id, fence }))
    const lost = await this.context.database.asWorker(tenants, (tx) => readLostFences(tx, tenants, fences), {
      access: 'read only',
    })
    for (const id of lost) this.#places.inFlight.get(id)?.abort.abort()
  }

  async #guarded<T>(doing: string, work: () => Promise<T>, otherwise: T): Promise<T> {
    try {
      return await work()
    } catch (error) {
      this.context.onFailure(error, doing)
      await sleep(200)
      return otherwise
    }
  }

  async #rest(): Promise<void> {
    if (this.#nudged) {
      this.#nudged = false
      return
    }
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, this.context.settings.idleMs * (this.#idleRounds > restAfter ? restSlower : 1))
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
    this.#wake = null
  }
}
