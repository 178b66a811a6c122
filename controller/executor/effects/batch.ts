import { type ActionEvent, nextState } from '../../domain/action-machine.ts'
import type { Counter } from '../../domain/counters.ts'
import { type ActionId, platformTenantId, type TenantId } from '../../domain/ids.ts'
import type { JsonObject } from '../../domain/json.ts'
import { type ApprovalRow, readApprovals } from '../../store/approvals.ts'
import type { ClaimItem } from '../../store/claims.ts'
import type { DueRow } from '../../store/effect-queue.ts'
import { type EffectRow, readMinutes } from '../../store/effects.ts'
import type { Bound, PlannedEffect } from './connector.ts'
import type { ExecutorContext } from './context.ts'
import { type AttemptFacts, type Effect, type EffectFacts, effectOf, leasedEntity } from './effect.ts'
import { type Fitted, fitNow, movedFacts } from './fit-now.ts'
import { countersOf, countsOf, factsFor, guardsOf, judge, type Subject, subjectOf, wantedMinutes } from './judge.ts'
import { mayResend, type Next } from './outcome.ts'
import { isBroken } from './probes.ts'
import { effectReceipt } from './receipts.ts'
import { reservedBy } from './reserved.ts'
import { RunningCounters } from './running-counters.ts'

/** A step that is asked of the claim, and what follows when it is granted. */
export interface Prepared {
  readonly effect: Effect
  readonly item: ClaimItem
  readonly bound: Bound | null
  readonly planned: PlannedEffect | null
  readonly attempt: AttemptFacts | null
}

export interface Settled {
  readonly effect: Effect
  readonly next: Next
}

/** What an item says beyond its action. */
type Said = Partial<Omit<ClaimItem, 'attempt'>>

/** `refit`: it is looked at again once it is noted what it would be sent by now. */
export type Step =
  | { readonly claim: Prepared }
  | { readonly settle: Settled }
  | { readonly defer: number }
  | { readonly refit: EffectFacts }
  | 'later'

/** How long an action that cannot be worked out is put off. */
const unworkableMs = 60_000
const suspendedMs = 5000

/** A batch being prepared: what its members share, and what the earlier ones of it mean for the later. */
export class Batch {
  readonly platformEpoch: number
  readonly #context: ExecutorContext
  readonly #now: Date
  readonly #rules: Awaited<ReturnType<ExecutorContext['rules']['of']>>
  readonly #epochs: ReadonlyMap<TenantId, number>
  readonly #subjects: ReadonlyMap<ActionId, Subject>
  readonly #fits: ReadonlyMap<ActionId, Fitted>
  readonly #counters: RunningCounters
  readonly #approvals: ReadonlyMap<ActionId, readonly ApprovalRow[]>
  readonly #entities = new Set<string>()
  readonly #keys = new Set<string>()
  readonly #tried = new Set<string>()

  static async open(context: ExecutorContext, rows: readonly DueRow[], now: Date): Promise<Batch> {
    const tenants = [...new Set(rows.map((row) => row.tenant_id))]
    const rules = await context.rules.of(tenants)
    // Before anything else is waited for: rules that move from here on make the claim fail, and not the epochs that it cites.
    const epochs = new Map([...tenants, platformTenantId].map((tenant) => [tenant, rules.epochs.get(tenant) ?? 0]))
    const subjects = new Map<ActionId, Subject>()
    for (const row of rows) {
      const domain = context.rules.domain(row.tenant_id)
      const subject =
        domain && (await alone(context, row, () => subjectOf(effectOf(row), domain, rules, now.getTime())))
      if (subject) subjects.set(row.action_id, subject)
    }
    const wanted = [...subjects.values()].flatMap(({ effect, needs }) =>
      needs.map((need) => wantedMinutes(effect.row.tenant_id, need, now.getTime())),
    )
    // All at once: they share the look at what is applied.
    const fitted = await Promise.all(
      [...subjects.values()]
        .filter(({ effect }) => !isHeldByAnother(effect.row as DueRow, now))
        .map(async ({ effect: { row }, effect }) => {
          const fit = await alone(context, row, () => fitNow(context.connector, effect))
          return fit === null ? [] : [[row.action_id, fit] as const]
        }),
    )
    const fits = new Map(fitted.flat())
    const held = rows.filter((row) => row.state === 'held' || row.expires_at !== null).map((row) => row.action_id)
    if (wanted.length === 0 && held.length === 0)
      return new Batch(context, now, rules, epochs, subjects, fits, new Map(), new Map())
    const [minutes, approvals] = await context.database.asWorker(
      tenants,
      async (tx) => [await readMinutes(tx, unique(wanted)), await readApprovals(tx, tenants, held)] as const,
      { access: 'read only' },
    )
    return new Batch(
      context,
      now,
      rules,
      epochs,
      subjects,
      fits,
      countersOf(minutes),
      Map.groupBy(approvals, (row) => row.action_id),
    )
  }

  private constructor(
    context: ExecutorContext,
    now: Date,
    rules: Awaited<ReturnType<ExecutorContext['rules']['of']>>,
    epochs: ReadonlyMap<TenantId, number>,
    subjects: ReadonlyMap<ActionId, Subject>,
    fits: ReadonlyMap<ActionId, Fitted>,
    counters: ReadonlyMap<string, Counter>,
    approvals: ReadonlyMap<ActionId, readonly ApprovalRow[]>,
  ) {
    this.#context = context
    this.#now = now
    this.#rules = rules
    this.#subjects = subjects
    this.#fits = fits
    this.#counters = new RunningCounters(counters)
    this.#approvals = approvals
    this.#epochs = epochs
    this.platformEpoch = epochs.get(platformTenantId)!
  }

  /** The next step of one action; one that cannot be worked out is put off, and the others go on. */
  next(row: DueRow): Step {
    try {
      return this.#next(row)
    } catch (error) {
      this.#context.onFailure(error, `judging \`${row.action_id}\``)
      return { defer: unworkableMs }
    }
  }

  #next(row: DueRow): Step {
    const subject = this.#subjects.get(row.action_id)
    if (!subject) return { defer: unworkableMs }
    if (this.#isSuspended(row)) {
      // No claim will find that the rules moved: they are read again before the next look.
      this.#context.rules.forget()
      return { defer: suspendedMs }
    }
    switch (row.state) {
      case 'planned':
      case 'held':
      case 'waiting':
        return this.#dispatch(row, subject)
      case 'unknown':
        return this.#recover(row, subject)
      default:
        // Somebody has it in hand, or it ended: whoever does that takes it out of the queue.
        return { defer: 5_000 }
    }
  }

  #isSuspended(row: DueRow): boolean {
    const domain = this.#context.rules.domain(row.tenant_id)
    return domain !== null && this.#rules.pools.isSuspended(domain.slug)
  }

  #dispatch(row: DueRow, subject: Subject): Step {
    const { effect } = subject
    const { facts } = effect
    const veto = this.#answersOf(row).find((answer) => answer.decision === 'veto')
    if (veto) return this.#end(effect, 'veto', `vetoed by ${veto.person}${veto.reason ? `: ${veto.reason}` : ''}`)
    if (row.state === 'held' && row.expires_at !== null && Date.parse(row.expires_at) <= this.#now.getTime()) {
      return this.#end(effect, 'expire', `nobody decided before ${row.expires_at}`)
    }
    if (isHeldByAnother(row, this.#now)) {
      if (row.key_args === facts.argsDigest || facts.authored) {
        return this.#end(effect, 'deduplicate', `its key is \`${row.key_holder}\`'s`)
      }
      return this.#end(effect, 'fail', `idempotency_conflict: \`${row.key_holder}\` has its key with other arguments`)
    }
    const { attempt } = effect
    if (row.state === 'waiting' && attempt && attempt.firstAtMs + facts.retryForMs <= this.#now.getTime()) {
      return this.#end(effect, 'fail', `not done until its time was over: ${row.cause ?? ''}`)
    }
    if (row.breaker_until !== null) return { defer: Math.max(200, Date.parse(row.breaker_until) - Date.now()) }
    const fitted = this.#fits.get(row.action_id)
    if (!fitted) return { defer: unworkableMs }
    if ('problem' in fitted) return this.#end(effect, row.state === 'waiting' ? 'fail' : 'reject', fitted.problem)
    const moved = row.attempts === 0 ? movedFacts(facts, fitted) : null
    if (moved !== null) return { refit: moved }
    if (!this.#isFirst(effect)) return 'later'

    const { judgement, recorded, rests } = this.#judge(subject, row)
    // A narrower answer that rests on members of this very batch waits until those are committed: they may yet be turned away.
    if (judgement.decision !== 'go' && rests) return 'later'
    const base = { verdict: judgement.verdict as unknown as JsonObject, facts: recorded }
    if (judgement.decision === 'block') return this.#end(effect, 'block', null, base)
    if (judgement.decision === 'hold') {
      const wait = row.expires_at ?? new Date(this.#now.getTime() + judgement.expiresInMs).toISOString()
      const item = this.#item(effect, 'hold', { ...base, cause: judgement.waits, expiresAt: wait })
      return { claim: { effect, item, bound: null, planned: null, attempt: null } }
    }
    const ifMatch = facts.class === 'conditional' ? this.#context.versions.of(effect, fitted.bound) : null
    // Read in the background: a provider that is slow to answer keeps nobody else waiting.
    if (ifMatch === 'reading') return { defer: 50 }
    if (typeof ifMatch === 'object' && ifMatch !== null) return { defer: this.#context.settings.backoffMs(1) }
    if (!this.#mayTry(row, facts.connection)) return 'later'
    const minute = Math.floor(this.#now.getTime() / 60_000)
    const entity = subject.needs.some((need) => need.by === 'entity')
    const counts = countsOf(subject.action, subject.envelope, minute, entity)
    const next: AttemptFacts = {
      ...bareAttempt,
      number: row.attempts + 1,
      resend: false,
      firstAtMs: row.state === 'waiting' && attempt ? attempt.firstAtMs : this.#now.getTime(),
      ifMatch,
      reserved: { minute, entity },
    }
    const item = this.#item(effect, 'intend', {
      ...base,
      attempt: next,
      guards: guardsOf(subject, factsFor(subject, this.#counters.asRead), this.#now.getTime()),
      counts,
    })
    this.#counters.move(row.tenant_id, counts)
    return { claim: { effect, item, ...fitted, attempt: next } }
  }

  /** An action in doubt: by evidence, by asking, by sending again where that is safe, or by a person. */
  #recover(row: DueRow, subject: Subject): Step {
    const { effect } = subject
    const { facts, attempt } = effect
    const settle = (next: Next): Step => ({ settle: { effect, next } })
    const byPerson = (cause: string): Step => settle({ become: 'manual', cause, dueMs: null })
    if (attempt === null) return byPerson('nothing is known of its attempt')
    const { late } = attempt
    // That one attempt was refused says nothing of one that was sent after it.
    if (late?.kind === 'applied' || (late?.kind === 'failed' && late.number === row.attempts)) {
      const next = { become: late.kind, cause: `the answer came late: ${late.reason}`, dueMs: null }
      return { settle: { effect: { ...effect, attempt: { ...attempt, ...late.evidence } }, next } }
    }
    if (facts.class === 'blind') return byPerson(`${row.cause ?? 'in doubt'}; it cannot be asked and is not sent again`)
    if (row.breaker_until !== null) return { defer: Math.max(200, Date.parse(row.breaker_until) - Date.now()) }
    const fitted = this.#fits.get(row.action_id)
    if (!fitted) return { defer: unworkableMs }
    if ('problem' in fitted) return byPerson(`it is not sent again: ${fitted.problem}`)
    if (!this.#isFirst(effect)) return 'later'
    if (!this.#mayTry(row, facts.connection)) return 'later'
    if (facts.class === 'queryable') {
      const next: AttemptFacts = { ...attempt, asked: attempt.asked + 1 }
      const item = this.#item(effect, 'reconcile', { attempt: next })
      return { claim: { effect, item, ...fitted, attempt: next } }
    }
    if (!mayResend(facts, attempt.firstAtMs, this.#now.getTime())) return byPerson('its time for re-sending is over')
    const next: AttemptFacts = { ...attempt, number: row.attempts + 1, resend: true }
    // A re-send is a dispatch: the rules now in force must allow it. What it counted itself does not stand against it.
    this.#counters.shift(row.tenant_id, reservedBy(effect, attempt), -1)
    const { judgement, recorded, rests } = this.#judge(subject, row)
    this.#counters.shift(row.tenant_id, reservedBy(effect, attempt), 1)
    if (judgement.decision !== 'go') {
      if (rests) return 'later'
      return byPerson(`the rules in force do not let it be sent again: ${judgement.verdict.reasons.join('; ')}`)
    }
    const item = this.#item(effect, 'reconcile', {
      attempt: next,
      verdict: judgement.verdict as unknown as JsonObject,
      facts: recorded,
    })
    return { claim: { effect, item, ...fitted, attempt: next } }
  }

  /** One action an entity and one a key go into a claim; the others look again when it is through. */
  #isFirst(effect: Effect): boolean {
    const entity = `${effect.row.tenant_id}\n${leasedEntity(effect)}`
    const key = `${effect.row.tenant_id}\n${effect.row.idempotency_key}`
    if (this.#entities.has(entity) || this.#keys.has(key)) return false
    this.#entities.add(entity)
    this.#keys.add(key)
    return true
  }

  /** A connection whose breaker opened is tried by one action; the others look again when it is through. */
  #mayTry(row: DueRow, connection: string | null): boolean {
    if (!isBroken(row, this.#context.settings.breakerAfter)) return true
    const id = `${row.tenant_id}\n${connection}`
    if (this.#tried.has(id)) return false
    this.#tried.add(id)
    return true
  }

  /** The gate's answer, what of it is recorded, and whether it rests on counts of this batch's earlier members. */
  #judge(subject: Subject, row: DueRow) {
    const facts = factsFor(subject, this.#counters.asMoved)
    const judgement = judge(
      subject,
      facts,
      this.#rules,
      this.#answersOf(row),
      this.#context.settings.approvalsExpireInMs,
    )
    const { tenant, event, now } = subject.envelope
    // Just proposed and judged by no count: the action says it all already.
    const fresh = subject.needs.length === 0 && row.state === 'planned' && now - Date.parse(row.created_at) < 1000
    const recorded = { facts: { ...facts, partial: true }, envelope: { event, tenant, now } } as unknown as JsonObject
    return {
      judgement,
      recorded: fresh ? null : recorded,
      rests: subject.needs.some((need) => this.#counters.hasMoved(row.tenant_id, need)),
    }
  }

  #answersOf(row: DueRow): readonly ApprovalRow[] {
    return this.#approvals.get(row.action_id) ?? []
  }

  #end(effect: Effect, event: ActionEvent, cause: string | null, more: Said = {}): Step {
    const item = this.#item(effect, event, { ...more, cause })
    return { claim: { effect, item, bound: null, planned: null, attempt: null } }
  }

  #item(effect: Effect, event: ActionEvent, more: Said & { readonly attempt?: AttemptFacts | null }): ClaimItem {
    const { row, facts } = effect
    const become = stateAfter(row.state, event)
    const terminal = !['held', 'intent', 'reconciling'].includes(become)
    const judged = more.verdict !== undefined
    return {
      tenantId: row.tenant_id,
      actionId: row.action_id,
      entityKey: leasedEntity(effect),
      expected: row.state,
      become,
      idempotencyKey: row.idempotency_key,
      argsDigest: facts.argsDigest,
      authored: facts.authored,
      withinMs: facts.withinMs,
      epoch: judged ? this.#epochs.get(row.tenant_id)! : null,
      operator: facts.operator,
      capability: row.capability,
      connection: facts.connection,
      leaseMs: Math.ceil(facts.timeoutMs + this.#context.settings.leaseMarginMs),
      verdict: more.verdict ?? null,
      facts: more.facts ?? null,
      policyDigest: judged
        ? ((more.verdict as unknown as { policy_digest: ClaimItem['policyDigest'] }).policy_digest ?? null)
        : null,
      attempt: (more.attempt as unknown as JsonObject | undefined) ?? null,
      cause: more.cause ?? null,
      expiresAt: more.expiresAt ?? null,
      receipt: terminal
        ? effectReceipt(
            effect,
            {
              state: become,
              cause: more.cause ?? null,
              verdict: more.verdict ?? null,
              approvals: this.#answersOf(row as DueRow),
            },
            this.#now,
          )
        : null,
      guards: more.guards ?? [],
      counts: more.counts ?? [],
    }
  }
}

const bareAttempt = {
  asked: 0,
  status: null,
  reason: null,
  responseDigest: null,
  credential: null,
  outputInvalid: false,
} as const

/** Every step goes through the one machine. What fails before it was sent went through its intent in no time. */
function stateAfter(from: Effect['row']['state'], event: ActionEvent): Effect['row']['state'] {
  const next =
    nextState(from, event) ?? (event === 'fail' ? nextState(nextState(from, 'intend') ?? from, 'fail') : null)
  if (next === null) throw new TypeError(`an action cannot ${event} from ${from}`)
  return next
}

/** Whether another action has the key: it is held, in flight or in doubt, or was applied and the claim still binds. */
function isHeldByAnother(row: DueRow, now: Date): boolean {
  if (row.key_holder === null || row.key_holder === row.action_id) return false
  return row.key_until === null || row.key_holder_open || Date.parse(row.key_until) > now.getTime()
}

/** What goes wrong with one action keeps no other from being worked on. */
async function alone<T>(context: ExecutorContext, row: EffectRow, work: () => T | Promise<T>): Promise<T | null> {
  try {
    return await work()
  } catch (error) {
    context.onFailure(error, `preparing \`${row.action_id}\``)
    return null
  }
}

function unique<T extends object>(items: readonly T[]): T[] {
  return [...new Map(items.map((item) => [JSON.stringify(item), item])).values()]
}
