import { setTimeout as sleep } from 'node:timers/promises'
import { FibricError } from '../../domain/errors.ts'
import type { ActionId, TenantId } from '../../domain/ids.ts'
import { closeBreaker, noteNotDone } from '../../store/breakers.ts'
import type { Database } from '../../store/connect.ts'
import { isPassing } from '../../store/database-error.ts'
import type { DueRow } from '../../store/effect-queue.ts'
import { readLostFences } from '../../store/leases.ts'
import { advancePlan } from './advance.ts'
import { carryOut } from './carry-out.ts'
import type { EffectConnector } from './connector.ts'
import type { ExecutorContext, ExecutorSettings } from './context.ts'
import { batchMax, Due, type Only } from './due.ts'
import { backoffMs } from './outcome.ts'
import { giveBack } from './probes.ts'
import { recover, recoverLeases, recoverPlans } from './recover.ts'
import { RulesCache } from './rules-cache.ts'
import { type Outcome, settleOutcomes, withoutWords } from './settle.ts'
import { type Taken, takeOn } from './take-on.ts'
import { Versions } from './versions.ts'

export const executorSettings: ExecutorSettings = {
  maxInFlight: 64,
  maxBlindInFlight: 4,
  leaseMarginMs: 20_000,
  breakerAfter: 5,
  backoffMs,
  idleMs: 100,
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
/** Of the places of a process that serves several domains, what one of them may have. */
const shareMax = 0.75
/** About two minutes: longer than any lease. */
const settleAttemptsMax = 60
/** Holds and plans that nobody went on with are looked for in every domain: so many times less often than leases. */
const plansEvery = 5
const plansEveryAtRest = 30
/** After so many looks that found nothing, the next ones come so many times more slowly: whoever proposes here says so. */
const restAfter = 50
const restSlower = 8

/** The executor of effects of one process. Any number of them may work on one database. */
export class Executor {
  readonly context: ExecutorContext
  readonly #inFlight = new Map<
    ActionId,
    { readonly taken: Taken; readonly abort: AbortController; readonly sinceMs: number }
  >()
  readonly #ended: Outcome[] = []
  readonly #settlers: (() => void)[] = []
  readonly #served = new Set<TenantId>()
  readonly #due: Due
  #settling: Promise<void> | null = null
  #wake: (() => void) | null = null
  #nudged = false
  #foundNothing = false
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
  }

  /** There may be something to do: look now. */
  nudge(): void {
    this.#nudged = true
    this.#wake?.()
  }

  /** Works until `signal` aborts; what is under way then is waited for, as long as its deadlines say. */
  async run(signal: AbortSignal): Promise<void> {
    const stop = (): void => this.nudge()
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
      this.#idleRounds = moved || this.#nudged || this.#inFlight.size > 0 ? 0 : this.#idleRounds + 1
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
      const isIdle = this.#inFlight.size === 0 && this.#settling === null && !versions.isAwaited
      if (isIdle && this.#foundNothing) return
      await this.#rest()
    }
  }

  /** Waits for what is under way. */
  async idle(): Promise<void> {
    while (this.#inFlight.size > 0 || this.#ended.length > 0 || this.#settling !== null) await this.#rest()
  }

  /** Takes one batch on. Whether anything moved. */
  async step(only?: Only): Promise<boolean> {
    this.#foundNothing = false
    const { maxInFlight } = this.context.settings
    const free = Math.min(batchMax, maxInFlight - this.#inFlight.size)
    // A claim costs about as much for one as for many: while plenty is under way, a few free places are waited out, but
    // never as many as one domain leaves to the others.
    const least = Math.min(batchLeast, Math.floor(maxInFlight * (1 - shareMax)))
    if (free <= 0 || (free < least && this.#inFlight.size > 0)) return false
    const inHand = new Set(this.#inFlight.keys())
    const rows = await this.#due.take(free, inHand, only)
    this.#foundNothing = rows.length === 0
    if (this.#foundNothing) return false
    if (!only && rows.length === free) this.#due.lookAhead(inHand, rows)
    const { taken, settled, moved } = await takeOn(this.context, this.#withinLimits(rows))
    for (const each of taken) this.#start(each)
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
      await this.#settleNow(outcomes)
    }
    return moved
  }

  /**
   * A killed process leaves few doubts that only a person can settle; and where several domains are served, one whose provider
   * hangs leaves places to the others.
   */
  #withinLimits(rows: readonly DueRow[]): DueRow[] {
    const { maxInFlight, maxBlindInFlight } = this.context.settings
    const busy = [...this.#inFlight.values()].map(({ taken }) => taken.effect)
    let blind = maxBlindInFlight - busy.filter(({ facts }) => facts.class === 'blind').length
    for (const { tenant_id } of rows) this.#served.add(tenant_id)
    const share = this.#served.size > 1 ? Math.ceil(maxInFlight * shareMax) : maxInFlight
    const places = new Map<TenantId, number>()
    for (const { row } of busy) places.set(row.tenant_id, (places.get(row.tenant_id) ?? 0) + 1)
    return rows.filter((row) => {
      const taken = places.get(row.tenant_id) ?? 0
      if (taken >= share) return false
      if (row.state !== 'unknown' && row.effect.class === 'blind' && blind-- <= 0) return false
      places.set(row.tenant_id, taken + 1)
      return true
    })
  }

  #start(taken: Taken): void {
    const abort = new AbortController()
    const id = taken.effect.row.action_id
    this.#inFlight.set(id, { taken, abort, sinceMs: performance.now() })
    void this.#carryOut(taken, abort.signal).finally(() => {
      this.#inFlight.delete(id)
      this.nudge()
    })
  }

  async #carryOut(taken: Taken, signal: AbortSignal): Promise<void> {
    const { effect, state, fence, reserved } = taken
    const { next, attempt, reached } = await carryOut(this.context, taken, signal)
    const attempts = taken.attempt.number
    await this.#settleSoon({ effect, from: state, fence, next, attempt, attempts, reserved })
    if (reached !== null || taken.probe !== null)
      await this.#guarded('minding a breaker', () => this.#mindBreaker(taken, reached, next.cause), undefined)
  }

  /** Outcomes that end while others are being written are written together. */
  #settleSoon(outcome: Outcome): Promise<void> {
    this.#ended.push(outcome)
    const settled = new Promise<void>((resolve) => this.#settlers.push(resolve))
    this.#settling ??= this.#settleAll().finally(() => {
      this.#settling = null
      this.nudge()
    })
    return settled
  }

  async #settleAll(): Promise<void> {
    // Those that ended in the same turn of the event loop go together.
    await new Promise((resolve) => setImmediate(resolve))
    while (this.#ended.length > 0) {
      const outcomes = this.#ended.splice(0, batchMax)
      const done = this.#settlers.splice(0, outcomes.length)
      await this.#settleNow(outcomes)
      for (const resolve of done) resolve()
    }
  }

  /** Tried until the database takes it: were this process killed, the leases would run out and leave doubts. */
  async #settleNow(outcomes: readonly Outcome[]): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#settleAndAdvance(outcomes)
      } catch (error) {
        this.context.onFailure(error, 'settling')
        if (!isPassing(error)) return this.#settleOneByOne(outcomes, error)
        if (attempt >= settleAttemptsMax) return
        await sleep(Math.min(2000, 50 * 2 ** attempt))
      }
    }
  }

  async #settleAndAdvance(outcomes: readonly Outcome[]): Promise<void> {
    const mine = await settleOutcomes(this.context, outcomes)
    const plans = new Map<string, Outcome>()
    for (const [index, outcome] of outcomes.entries()) {
      if (mine[index] && outcome.effect.facts.followed) plans.set(outcome.effect.row.plan_id, outcome)
    }
    for (const { effect } of plans.values()) {
      await advancePlan(this.context, effect.row.tenant_id, effect.row.plan_id)
    }
  }

  /** One that the database refuses keeps no other from being settled: it becomes a doubt that can be written. */
  async #settleOneByOne(outcomes: readonly Outcome[], error: unknown): Promise<void> {
    if (outcomes.length > 1) {
      for (const outcome of outcomes) await this.#settleNow([outcome])
      return
    }
    const plain = withoutWords(outcomes[0]!, error instanceof FibricError ? error.code : 'INTERNAL')
    await this.#guarded('settling without words', () => this.#settleAndAdvance([plain]), undefined)
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
    while (!signal.aborted || this.#inFlight.size > 0) {
      const old = [...this.#inFlight.values()].filter(({ sinceMs }) => performance.now() - sinceMs > 250)
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
    for (const id of lost) this.#inFlight.get(id)?.abort.abort()
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
