import type { JsonObject } from '../../domain/json.ts'
import type { Count } from '../../store/claims.ts'
import type { DueRow } from '../../store/effect-queue.ts'
import { type Refit, refitEffects } from '../../store/effects.ts'
import { withRetry } from '../config/with-retry.ts'
import { advancePlan } from './advance.ts'
import { Batch, type Prepared, type Settled } from './batch.ts'
import { claimAll, type Deferred } from './claim-all.ts'
import type { Bound, PlannedEffect } from './connector.ts'
import type { ExecutorContext } from './context.ts'
import type { AttemptFacts, Effect, EffectFacts } from './effect.ts'
import type { Next } from './outcome.ts'
import { giveBack, type ProbeRight, takeProbes } from './probes.ts'
import { reservedBy } from './reserved.ts'

/** An action whose next step is committed: what may be sent now, and under which token. */
export interface Taken {
  readonly effect: Effect
  readonly bound: Bound
  readonly planned: PlannedEffect
  readonly attempt: AttemptFacts
  /** `intent` for a first attempt or one after attempts not made; `reconciling` for one in doubt. */
  readonly state: 'intent' | 'reconciling'
  readonly fence: number
  /** On the monotonic clock, counted from before the claim was sent. */
  readonly deadlineMs: number
  readonly reserved: readonly Count[]
  /** Where it tries a connection whose breaker opened. */
  readonly probe: ProbeRight | null
}

/** What became of a batch: what is to be sent, and doubts that are settled without sending anything. */
export interface TakenOn {
  readonly taken: readonly Taken[]
  readonly settled: readonly { readonly effect: Effect; readonly next: Next; readonly releases: readonly Count[] }[]
  /** Whether anything moved: if not, there is no use in looking again at once. */
  readonly moved: boolean
}

/** Takes due actions one step on: validate, dedup, gate, then one claim for all of them. */
export async function takeOn(context: ExecutorContext, rows: readonly DueRow[]): Promise<TakenOn> {
  const now = context.clock()
  const batch = await Batch.open(context, rows, now)
  const claims: Prepared[] = []
  const settled: Settled[] = []
  const defers: Deferred[] = []
  const refits: Refit[] = []
  for (const row of rows) {
    const step = batch.next(row)
    if (step === 'later') continue
    if ('claim' in step) claims.push(step.claim)
    else if ('settle' in step) settled.push(step.settle)
    else if ('refit' in step) refits.push(refitOf(row, step.refit))
    else defers.push({ tenantId: row.tenant_id, actionId: row.action_id, afterMs: step.defer })
  }
  await noteRefits(context, refits)
  const startedMs = performance.now()
  const { kept, rights, defers: others } = await takeProbes(context, claims)
  const results = await claimAll(context, kept, [...defers, ...others], batch.platformEpoch, now)
  const taken: Taken[] = []
  const ended: Effect[] = []
  for (const result of results) {
    const prepared = kept[result.item - 1]!
    if (result.result === 'regate') context.rules.forget()
    if (result.result !== 'done') continue
    const { effect, item } = prepared
    if (item.become === 'intent' || item.become === 'reconciling') {
      taken.push(takenOf(context, prepared, result.fence!, { startedMs, now }, rights.get(prepared)))
      rights.delete(prepared)
    } else if (effect.facts.followed && item.receipt) {
      ended.push(effect)
    }
  }
  await giveBack(context, [...rights.values()])
  await advanceAll(context, ended)
  return {
    taken,
    settled: settled.map((each) => ({ ...each, releases: reservedBy(each.effect, each.effect.attempt) })),
    moved: settled.length > 0 || refits.length > 0 || results.some(({ result }) => result !== 'gone'),
  }
}

/** A claim that was granted: sent at `startedMs` on the monotonic clock, and dated `now`. */
export function takenOf(
  { settings }: ExecutorContext,
  { effect, item, bound, planned, attempt }: Prepared,
  fence: number,
  { startedMs, now }: { readonly startedMs: number; readonly now: Date },
  probe: ProbeRight | null = null,
): Taken {
  const { row } = effect
  return {
    // Its receipt will say what the gate said, and when the intent was committed.
    effect: {
      ...effect,
      row: {
        ...row,
        verdict: item.verdict ?? row.verdict,
        intent_at: item.become === 'intent' ? now.toISOString() : row.intent_at,
      },
    },
    bound: bound!,
    planned: planned!,
    attempt: attempt!,
    state: item.become as Taken['state'],
    fence,
    deadlineMs: startedMs + effect.facts.timeoutMs + settings.leaseMarginMs / 2,
    reserved: reservedBy(effect, attempt),
    probe,
  }
}

function refitOf(row: DueRow, facts: EffectFacts): Refit {
  const { tenant_id, action_id, state } = row
  return { tenant_id, action_id, state, effect: facts as unknown as JsonObject }
}

async function noteRefits(context: ExecutorContext, refits: readonly Refit[]): Promise<void> {
  if (refits.length === 0) return
  const tenants = [...new Set(refits.map((each) => each.tenant_id))]
  await withRetry(() => context.database.asWorker(tenants, (tx) => refitEffects(tx, refits)))
}

/** What is not gone on with here recovery goes on with: the intents beside are committed and have to be sent. */
async function advanceAll(context: ExecutorContext, ended: readonly Effect[]): Promise<void> {
  const plans = new Map(ended.map(({ row }) => [row.plan_id, row.tenant_id]))
  for (const [plan, tenant] of plans) {
    await advancePlan(context, tenant, plan).catch((error: unknown) =>
      context.onFailure(error, `going on with \`${plan}\``),
    )
  }
}
