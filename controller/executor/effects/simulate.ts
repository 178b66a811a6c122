import type { ActionState } from '../../domain/action-machine.ts'
import type { ActionId, TenantId } from '../../domain/ids.ts'
import type { JsonObject } from '../../domain/json.ts'
import type { LedgerEntry } from '../../domain/receipt.ts'
import type { Verdict } from '../../domain/verdict.ts'
import { type Count, readClaims } from '../../store/claims.ts'
import type { Database } from '../../store/connect.ts'
import {
  type EffectRow,
  type MinuteRow,
  type NewEffect,
  type PlanFacts,
  readEffects,
  readMinutes,
} from '../../store/effects.ts'
import { findStop } from '../../store/stops.ts'
import type { RulesInForce } from '../config/run.ts'
import type { EffectConnector, RehearsedRequest } from './connector.ts'
import type { Effect } from './effect.ts'
import { executorSettings } from './executor.ts'
import { fitNow } from './fit-now.ts'
import { countersOf, countsOf, factsFor, judge, type Subject, subjectOf, wantedMinutes } from './judge.ts'
import { asEffect, type PlanDraft } from './propose.ts'
import { etagOf } from './provider-state.ts'
import { type End, effectReceipt } from './receipts.ts'
import type { DraftedPlan } from './record.ts'
import { RulesCache } from './rules-cache.ts'

export interface SimulationParts {
  readonly database: Database
  readonly connector: EffectConnector
  readonly clock: () => Date
  /** Whether a provider may be read, as for the version of a conditional effect. */
  readonly reads: boolean
  /** Whether a key's holder is what is being simulated again: it stands in nobody's way. */
  readonly isAgain: (holder: EffectRow & PlanFacts) => boolean
}

/** How far an action of a plan would come, and with what. */
export interface SimulatedAction {
  readonly effect: NewEffect
  readonly state: ActionState
  readonly cause: string | null
  readonly verdict: Verdict | null
  /** What would be sent; null where nothing would be. */
  readonly request: RehearsedRequest | null
  /** As it would stand, marked as simulated; null where the action would not have ended. */
  readonly receipt: JsonObject | null
}

/**
 * Takes a drafted plan down the executor's path with the writes stubbed: dedup, binding, gate, sequence, the request as it
 * would be built, and the receipt. Nothing is written, reserved or sent; what earlier actions of the plan would count and
 * claim holds for the later ones.
 */
export async function simulateEffects(
  parts: SimulationParts,
  { draft, effects }: DraftedPlan,
): Promise<SimulatedAction[]> {
  const simulation = await Simulation.open(parts, draft)
  const simulated: SimulatedAction[] = []
  for (const effect of effects) simulated.push(await simulation.next(effect))
  return simulated
}

class Simulation {
  readonly #parts: SimulationParts
  readonly #draft: PlanDraft
  readonly #rules: RulesInForce
  readonly #cache: RulesCache
  readonly #states = new Map<ActionId, ActionState>()
  readonly #keys = new Map<string, Holder>()
  readonly #counted: MinuteRow[] = []

  static async open(parts: SimulationParts, draft: PlanDraft): Promise<Simulation> {
    const cache = new RulesCache(parts.database, parts.clock)
    return new Simulation(parts, draft, cache, await cache.of([draft.domain.tenant_id]))
  }

  private constructor(parts: SimulationParts, draft: PlanDraft, cache: RulesCache, rules: RulesInForce) {
    this.#parts = parts
    this.#draft = draft
    this.#cache = cache
    this.#rules = rules
  }

  async next(drafted: NewEffect): Promise<SimulatedAction> {
    const simulated = await this.#next(drafted)
    this.#states.set(drafted.actionId, simulated.state)
    const { idempotencyKey, actionId } = drafted
    const { argsDigest, authored } = drafted.effect as unknown as Effect['facts']
    if (simulated.state === 'applied' || simulated.state === 'held')
      this.#keys.set(idempotencyKey, { actionId, argsDigest, authored })
    return simulated
  }

  async #next(drafted: NewEffect): Promise<SimulatedAction> {
    const now = this.#parts.clock()
    if (drafted.receipt !== null) return refusedAtOnce(drafted, drafted.receipt)
    const effect = asEffect(this.#draft, drafted, now)
    const ended = (end: End, request: RehearsedRequest | null = null): SimulatedAction =>
      endedAs(drafted, effect, end, request, now)
    const waits = (cause: string, verdict: Verdict | null = null, state: 'planned' | 'held' = 'planned') => ({
      ...{ effect: drafted, state, cause, verdict, request: null, receipt: null },
    })

    const before = drafted.after.map((id) => ({ id, state: this.#states.get(id) ?? 'planned' }))
    const refused = before.find(({ state }) => !goesOn.has(state) && !isOpen.has(state))
    if (refused) return ended({ state: 'skipped', cause: `\`${refused.id}\` ended ${refused.state}` })
    const open = before.find(({ state }) => isOpen.has(state))
    if (open) return waits(`waits for \`${open.id}\`, which is ${open.state}`)
    if (this.#rules.pools.isSuspended(this.#draft.domain.slug)) return waits('its tenant is suspended')

    const holder = await this.#holderOf(effect, now)
    if (holder && (holder.argsDigest === effect.facts.argsDigest || effect.facts.authored)) {
      return ended({ state: 'deduplicated', cause: `its key is \`${holder.actionId}\`'s` })
    }
    if (holder) {
      const cause = `idempotency_conflict: \`${holder.actionId}\` has its key with other arguments`
      return ended({ state: 'failed', cause })
    }
    const fitted = await fitNow(this.#parts.connector, effect)
    if ('problem' in fitted) return ended({ state: 'rejected', cause: fitted.problem })

    const subject = subjectOf(effect, this.#cache.domain(this.#draft.domain.tenant_id)!, this.#rules, now.getTime())
    const { minutes, stop } = await this.#look(subject, now)
    const facts = factsFor(subject, countersOf([...minutes, ...this.#counted]))
    const judgement = judge(subject, facts, this.#rules, [], executorSettings.approvalsExpireInMs)
    const { verdict } = judgement
    const judged = verdict as unknown as JsonObject
    if (judgement.decision === 'block') return ended({ state: 'blocked', cause: null, verdict: judged })
    if (judgement.decision === 'hold') return waits(judgement.waits, verdict, 'held')
    if (stop) return waits(`stopped by ${stop.person}: ${stop.reason}`, verdict)

    const conditional = effect.facts.class === 'conditional' && this.#parts.reads
    const ifMatch = conditional ? await etagOf(this.#parts.connector, fitted.bound, effect.row.args) : null
    if (typeof ifMatch === 'object' && ifMatch !== null) return waits(ifMatch.unread, verdict)
    const options = { idempotencyKey: effect.row.action_id, ifMatch }
    const rehearsed = this.#parts.connector.rehearse(fitted.bound, effect.row.args, options)
    const tried = { verdict: judged, attempts: 1 }
    const intended = { ...effect, row: { ...effect.row, intent_at: now.toISOString() } }
    if (rehearsed.kind === 'refused') {
      const cause = `the egress broker refused it: ${rehearsed.reason}`
      return endedAs(drafted, intended, { ...tried, state: 'failed', cause }, null, now)
    }
    this.#count(subject, now)
    const cause = `not sent: ${rehearsed.why}`
    return endedAs(drafted, intended, { ...tried, state: 'applied', cause }, rehearsed.request, now)
  }

  /** Who has its key: an earlier action of this plan, or one that is held, in flight, in doubt or applied. */
  async #holderOf(effect: Effect, now: Date): Promise<Holder | null> {
    const { tenant_id: tenantId, idempotency_key: key } = effect.row
    const earlier = this.#keys.get(key)
    if (earlier) return earlier
    return this.#parts.database.asWorker(
      [tenantId],
      async (tx) => {
        const [claim] = await readClaims(tx, [{ tenantId, key }])
        const [holder] = claim ? await readEffects(tx, [tenantId], [claim.action_id]) : []
        if (!claim || (holder && this.#parts.isAgain(holder))) return null
        const isOver = claim.binds_until !== null && Date.parse(claim.binds_until) <= now.getTime()
        if (isOver && (!holder || holder.state === 'applied')) return null
        return { actionId: claim.action_id, argsDigest: claim.args_digest, authored: claim.authored }
      },
      { access: 'read only' },
    )
  }

  #look({ effect, needs }: Subject, now: Date) {
    const tenant: TenantId = effect.row.tenant_id
    const wanted = needs.map((need) => wantedMinutes(tenant, need, now.getTime()))
    const { operator, connection } = effect.facts
    return this.#parts.database.asWorker(
      [tenant],
      async (tx) => ({
        minutes: await readMinutes(tx, wanted),
        stop: await findStop(tx, tenant, { operator, connection, capability: effect.row.capability }),
      }),
      { access: 'read only' },
    )
  }

  #count({ effect, action, envelope, needs }: Subject, now: Date): void {
    const minute = Math.floor(now.getTime() / 60_000)
    const entity = needs.some((need) => need.by === 'entity')
    const counts = countsOf(action, envelope, minute, entity)
    this.#counted.push(...counts.map((count) => minuteOf(effect.row.tenant_id, count)))
  }
}

interface Holder {
  readonly actionId: ActionId
  readonly argsDigest: string
  readonly authored: boolean
}

const goesOn: ReadonlySet<ActionState> = new Set(['applied', 'deduplicated'])
const isOpen: ReadonlySet<ActionState> = new Set(['planned', 'held'])

/** What did not fit the tool ended where it was drafted. */
function refusedAtOnce(effect: NewEffect, receipt: LedgerEntry): SimulatedAction {
  return { effect, state: effect.state, cause: effect.cause, verdict: null, request: null, receipt: marked(receipt) }
}

function endedAs(
  drafted: NewEffect,
  effect: Effect,
  end: End,
  request: RehearsedRequest | null,
  now: Date,
): SimulatedAction {
  const verdict = (end.verdict ?? null) as Verdict | null
  const receipt = marked(effectReceipt(effect, end, now))
  return { effect: drafted, state: end.state, cause: end.cause, verdict, request, receipt }
}

/** A document of its own: no entry that could be appended to a ledger. */
function marked({ bytes }: LedgerEntry): JsonObject {
  return { ...(JSON.parse(bytes.toString('utf8')) as JsonObject), simulated: true }
}

function minuteOf(tenant: TenantId, { capability, dimension, value, minute, currency, amount }: Count): MinuteRow {
  const by = dimension as MinuteRow['dimension']
  return { tenant_id: tenant, capability, dimension: by, value, minute, currency, count: 1, total: amount }
}
