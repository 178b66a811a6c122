import { writeAlerts } from '../../store/alerts.ts'
import { claimEffects } from '../../store/claims.ts'
import type { DueRow } from '../../store/effect-queue.ts'
import type { Transaction } from '../../store/tenancy.ts'
import { Batch, type Prepared } from './batch.ts'
import { raisedBy } from './claim-all.ts'
import type { ExecutorContext } from './context.ts'
import type { Kept } from './places.ts'
import { asEffect } from './propose.ts'
import { type DraftedPlan, recordPlans } from './record.ts'
import { type Taken, takenOf } from './take-on.ts'

/** Actions that may be taken on as soon as they are recorded, as rows of the queue that were never in it. */
export function readyRows(plans: readonly DraftedPlan[], now: Date): DueRow[] {
  return plans.flatMap(({ draft, effects }) =>
    effects.filter((each) => each.ready).map((each) => ({ ...asEffect(draft, each, now).row, ...neverQueued })),
  )
}

// Whose key it is and whether its connection is away the claim will say.
const neverQueued = {
  serial: 0,
  key_holder: null,
  key_holder_open: false,
  key_args: null,
  key_authored: null,
  key_until: null,
  breaker_until: null,
  breaker_failures: null,
} as const

/**
 * Plans that a process proposes and takes on itself: what the gate lets go is claimed in the transaction that records it, and
 * never waits in the queue. What is not granted at once (a hold, another action of its entity or its key, a stop, rules that
 * moved) is recorded as planned, and goes the way of everything else.
 */
export class HandOver {
  readonly kept: Kept
  readonly #context: ExecutorContext
  readonly #claims: readonly Prepared[]
  readonly #platformEpoch: number
  readonly #now: Date
  #taken: readonly Taken[] = []
  #left = 0

  /** Judges those of some actions, in their order, that a place is kept for. */
  static async judge(context: ExecutorContext, rows: readonly DueRow[], kept: Kept, now: Date): Promise<HandOver> {
    // What is bound to a version waits until that has been read.
    const able = kept.rows.filter(({ effect }) => effect.class !== 'conditional')
    if (able.length === 0) return new HandOver(context, kept, [], 0, now)
    const batch = await Batch.open(context, able, now)
    const claims = able.flatMap((row) => {
      const step = batch.next(row)
      return typeof step === 'object' && 'claim' in step && step.claim.item.become === 'intent' ? step.claim : []
    })
    return new HandOver(context, kept, inTurn(rows, claims), batch.platformEpoch, now)
  }

  private constructor(
    context: ExecutorContext,
    kept: Kept,
    claims: readonly Prepared[],
    platformEpoch: number,
    now: Date,
  ) {
    this.#context = context
    this.kept = kept
    this.#claims = claims.map((claim) => ({ ...claim, item: { ...claim.item, expected: null } }))
    this.#platformEpoch = platformEpoch
    this.#now = now
  }

  /** Whether anything is claimed with the plans. */
  get claims(): boolean {
    return this.#claims.length > 0
  }

  /** What may be sent once the transaction of the last `record` has committed. */
  get taken(): readonly Taken[] {
    return this.#taken
  }

  /** How many of the actions it recorded wait in the queue. */
  get left(): number {
    return this.#left
  }

  /** Writes plans, and claims what was judged of them. Its transaction may be tried more than once: the last call counts. */
  async record(tx: Transaction, plans: readonly DraftedPlan[]): Promise<void> {
    const ready = plans.flatMap(({ effects }) => effects.filter((each) => each.ready)).map((each) => each.actionId)
    const asked = this.#claims.filter(({ item }) => ready.includes(item.actionId))
    const startedMs = performance.now()
    const items = asked.map(({ item }) => item)
    const at = this.#now.toISOString()
    const results = items.length === 0 ? [] : await claimEffects(tx, items, this.#platformEpoch, at)
    if (results.some(({ result }) => result === 'regate')) this.#context.rules.forget()
    const granted = results.filter(({ result }) => result === 'done')
    this.#taken = granted.map(({ item, fence }) =>
      takenOf(this.#context, asked[item - 1]!, fence!, { startedMs, now: this.#now }),
    )
    this.#left = ready.length - granted.length
    const claimed = granted.map(({ item, fence }) => ({ ...items[item - 1]!, fence: fence! }))
    await recordPlans(tx, plans, this.#now, new Map(claimed.map((each) => [each.actionId, each])))
    await writeAlerts(tx, raisedBy(items, results, this.#now), at)
  }
}

/** Without those that would pass an earlier action of their entity that has to wait: it is in no queue yet that would say so. */
function inTurn(rows: readonly DueRow[], claims: readonly Prepared[]): Prepared[] {
  const claimed = new Map(claims.map((claim) => [claim.item.actionId, claim]))
  const waiting = new Set<string>()
  return rows.flatMap((row) => {
    const claim = claimed.get(row.action_id)
    const entity = `${row.tenant_id}\n${row.entity_key}`
    if (claim && !waiting.has(entity)) return claim
    waiting.add(entity)
    return []
  })
}
