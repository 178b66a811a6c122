import type { ActionState } from '../../domain/action-machine.ts'
import { inDoubt, nextState } from '../../domain/action-machine.ts'
import type { JsonObject } from '../../domain/json.ts'
import { type ApprovalRow, readApprovals } from '../../store/approvals.ts'
import { type Count, type SettleItem, settleEffects } from '../../store/claims.ts'
import { enqueueEffects } from '../../store/effect-queue.ts'
import { lockEffectRow } from '../../store/effects.ts'
import { noteLateAnswer } from '../../store/leases.ts'
import { appendEntries } from '../../store/ledger.ts'
import { withRetry } from '../config/with-retry.ts'
import type { ExecutorContext } from './context.ts'
import { type AttemptFacts, type Effect, effectOf, type LateAnswer, leasedEntity } from './effect.ts'
import type { Next } from './outcome.ts'
import { effectEntry, effectReceipt } from './receipts.ts'

/** An action on its way out of a state, and the token that says it may be moved. */
export interface Outcome {
  readonly effect: Effect
  readonly from: 'intent' | 'reconciling' | 'unknown'
  readonly fence: number
  readonly next: Next
  readonly attempt: AttemptFacts | null
  readonly attempts: number
  /** What was counted for it. */
  readonly reserved: readonly Count[]
}

/** Who says it, in entries of the ledger. */
const executorName = 'builtin:executor'

/**
 * Writes what attempts came to, all in one statement, each under its fence. Answers which of them were still the caller's to
 * settle; what came too late is kept as an entry, and as evidence for whoever owns the action now.
 */
export async function settleOutcomes(context: ExecutorContext, outcomes: readonly Outcome[]): Promise<boolean[]> {
  const now = context.clock()
  const tenants = [...new Set(outcomes.map(({ effect }) => effect.row.tenant_id))]
  const approvals = await approvalsOf(context, outcomes)
  const items = outcomes.map((outcome) => itemOf(outcome, approvals, now))
  const settled = await withRetry(() =>
    context.database.asWorker(tenants, (tx) => settleEffects(tx, items, now.toISOString())),
  )
  const mine: boolean[] = []
  for (const [index, outcome] of outcomes.entries()) {
    mine.push(settled.has(index) || (await observeLate(context, outcome, items[index]!.become, now)))
  }
  return mine
}

/** What is left to say of an outcome that cannot be kept as it is: a doubt, without anything anybody else worded. */
export function withoutWords(outcome: Outcome, code: string): Outcome {
  const { attempt, from } = outcome
  const cause = `what it came to could not be kept (${code})`
  const next = { become: from === 'unknown' ? 'manual' : 'unknown', cause, dueMs: 0 } as const
  if (attempt === null) return { ...outcome, next }
  const { body: _, late: __, ...plain } = attempt
  return { ...outcome, next, attempt: { ...plain, reason: cause, credential: null } }
}

/** Only what was held once has approvals to cite. */
async function approvalsOf(
  context: ExecutorContext,
  outcomes: readonly Outcome[],
): Promise<ReadonlyMap<string, readonly ApprovalRow[]>> {
  const held = outcomes.filter(({ effect }) => effect.row.expires_at !== null)
  if (held.length === 0) return new Map()
  const tenants = [...new Set(held.map(({ effect }) => effect.row.tenant_id))]
  const ids = held.map(({ effect }) => effect.row.action_id)
  const rows = await context.database.asWorker(tenants, (tx) => readApprovals(tx, tenants, ids), {
    access: 'read only',
  })
  return Map.groupBy(rows, (row) => row.action_id)
}

function itemOf(
  { effect, from, fence, next, attempt, attempts, reserved }: Outcome,
  approvals: ReadonlyMap<string, readonly ApprovalRow[]>,
  now: Date,
): SettleItem {
  const { row, facts } = effect
  const become = stateAfter(from, next.become)
  const terminal = become === 'applied' || become === 'failed'
  const receipt = terminal
    ? effectReceipt(
        effect,
        {
          state: become,
          cause: next.cause,
          attempt,
          attempts,
          approvals: approvals.get(row.action_id) ?? [],
        },
        now,
      )
    : null
  const doubt = become === 'manual' || (become === 'unknown' && from === 'intent')
  const entry = doubt
    ? effectEntry(
        effect,
        'action.doubt',
        executorName,
        { state: become, reason: next.cause, attempts, status: attempt?.status ?? null },
        now,
      )
    : receipt
  return {
    tenantId: row.tenant_id,
    actionId: row.action_id,
    // An action that later ones may pass gives its entity up with its first doubt.
    entityKey: from === 'intent' ? row.entity_key : leasedEntity({ row: { ...row, state: from }, facts }),
    idempotencyKey: row.idempotency_key,
    expected: from,
    fence,
    become,
    attempt: attempt as unknown as JsonObject | null,
    cause: next.cause,
    dueMs: next.dueMs,
    keepsEntity: become === 'waiting' || (!terminal && !facts.continues),
    receiptId: receipt?.id ?? null,
    entry,
    releases: become === 'failed' || become === 'waiting' ? reserved : [],
  }
}

/** Every step goes through the one machine; evidence takes a doubt through its reconciliation in no time. */
function stateAfter(from: Outcome['from'], become: Next['become']): ActionState {
  if (from === 'unknown') return stateAfter(nextState('unknown', 'reconcile') as 'reconciling', become)
  const event = {
    applied: 'succeed',
    failed: 'fail',
    waiting: 'postpone',
    unknown: 'doubt',
    manual: 'escalate',
  } as const
  const next = nextState(from, event[become])
  if (next === null) throw new TypeError(`an action cannot become ${become} from ${from}`)
  return next
}

/**
 * Keeps what came in after the action had been taken away, as an entry and as evidence for whoever owns it now. Whether it
 * was settled by this very outcome before: the answer to the commit had been lost.
 */
async function observeLate(
  context: ExecutorContext,
  { effect, fence, next, attempt, attempts }: Outcome,
  became: string,
  now: Date,
): Promise<boolean> {
  const { tenant_id: tenant, action_id: id } = effect.row
  const details = {
    saw: next.become,
    reason: next.cause,
    status: attempt?.status ?? null,
    fence,
    attempt: attempts,
    credential: attempt?.credential ?? null,
    response_digest: attempt?.responseDigest ?? null,
  }
  return context.database.asWorker([tenant], async (tx) => {
    const row = await lockEffectRow(tx, tenant, id)
    if (!row) return false
    if (row.fence === fence && row.state === became && row.cause === next.cause) return true
    const entry = effectEntry(effectOf(row), 'action.observed_late', executorName, details, now)
    await appendEntries(tx, tenant, row.reseller_id, now.toISOString(), [entry])
    if (!inDoubt(row.state) || (next.become !== 'applied' && next.become !== 'failed')) return false
    const late: LateAnswer = {
      kind: next.become,
      reason: next.cause ?? attempt?.reason ?? 'answered',
      number: attempts,
      evidence: evidenceOf(attempt),
    }
    await noteLateAnswer(tx, tenant, id, late as unknown as JsonObject)
    if (row.state === 'unknown') await enqueueEffects(tx, tenant, [id])
    return false
  })
}

function evidenceOf(attempt: AttemptFacts | null): LateAnswer['evidence'] {
  return {
    status: attempt?.status ?? null,
    responseDigest: attempt?.responseDigest ?? null,
    credential: attempt?.credential ?? null,
    outputInvalid: attempt?.outputInvalid ?? false,
    ...(attempt?.body !== undefined && { body: attempt.body }),
  }
}
