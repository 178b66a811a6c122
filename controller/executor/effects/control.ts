import { isTerminal, nextState } from '../../domain/action-machine.ts'
import { FibricError } from '../../domain/errors.ts'
import type { ActionId, TenantId } from '../../domain/ids.ts'
import { readActionsById } from '../../store/actions.ts'
import { readApprovals } from '../../store/approvals.ts'
import { settleEffects } from '../../store/claims.ts'
import type { Database } from '../../store/connect.ts'
import { lockEffectRow } from '../../store/effects.ts'
import { bumpFence } from '../../store/leases.ts'
import { appendEntries } from '../../store/ledger.ts'
import type { Transaction } from '../../store/tenancy.ts'
import { advancePlan } from './advance.ts'
import { type Effect, effectOf, leasedEntity } from './effect.ts'
import { effectEntry, effectReceipt } from './receipts.ts'
import { reservedBy } from './reserved.ts'

/** A person's word about one action, with the reason that goes into the ledger. */
export interface Word {
  readonly database: Database
  readonly clock: () => Date
  readonly person: string
  readonly tenant: TenantId
  readonly action: ActionId
  readonly reason: string
}

/** Ends an action of which nothing is under way: one that is planned, held, or waits to be tried again. */
export function cancelAction(word: Word): Promise<Effect> {
  return move(word, async (tx, effect, now) => {
    const state = nextState(effect.row.state, 'cancel')
    if (state === null) throw refusal(effect, 'cancelled', killHint(effect))
    const cause = `cancelled by ${word.person}: ${word.reason}`
    await end(tx, effect, state, cause, now)
    return effectEntry(effect, 'control.action.cancel', word.person, { reason: word.reason }, now)
  })
}

/**
 * Takes an action away from whoever is carrying it out: its fence moves, the request is aborted, and what it did is in
 * doubt.
 */
export function killAction(word: Word): Promise<Effect> {
  return move(word, async (tx, effect, now) => {
    const { row, facts } = effect
    if (row.state !== 'intent' && row.state !== 'reconciling') throw refusal(effect, 'killed', null)
    const fence = await bumpFence(tx, row.tenant_id, row.action_id)
    const cause = `killed by ${word.person}: ${word.reason}`
    await settleEffects(
      tx,
      [
        {
          tenantId: row.tenant_id,
          actionId: row.action_id,
          entityKey: leasedEntity(effect),
          idempotencyKey: row.idempotency_key,
          expected: row.state,
          fence,
          become: 'unknown',
          attempt: null,
          cause,
          // Long enough for an answer that is on its way to come in late, as evidence.
          dueMs: 5000,
          keepsEntity: !facts.continues,
          receiptId: null,
          entry: effectEntry(effect, 'action.doubt', word.person, { state: 'unknown', reason: cause }, now),
          releases: [],
        },
      ],
      now.toISOString(),
    )
    return effectEntry(effect, 'control.action.kill', word.person, { reason: word.reason }, now)
  })
}

/** Says of an action in doubt whether it happened: the word of a person who looked. */
export function resolveAction(word: Word, happened: boolean): Promise<Effect> {
  return move(word, async (tx, effect, now) => {
    const { state } = effect.row
    if (state === 'intent' || state === 'reconciling') throw locked(effect)
    const from = state === 'unknown' ? nextState(state, 'reconcile') : state
    const become = from && nextState(from, happened ? 'succeed' : 'fail')
    if (state !== 'unknown' && state !== 'manual') throw refusal(effect, 'resolved', null)
    const said = happened ? 'it happened' : 'it did not happen'
    await end(tx, effect, become!, `${said}, says ${word.person}: ${word.reason}`, now)
    return effectEntry(effect, 'control.action.resolve', word.person, { reason: word.reason, happened }, now)
  })
}

/** Leaves a doubt to a person: nothing will look into it by itself any more. */
export function escalateAction(word: Word): Promise<Effect> {
  return move(word, async (tx, effect, now) => {
    const { row } = effect
    const state = row.state === 'unknown' ? nextState('reconciling', 'escalate') : null
    if (state === null) throw refusal(effect, 'left to a person', null)
    const cause = `${row.cause ?? 'in doubt'}; ${word.reason}`
    const entry = effectEntry(effect, 'action.doubt', word.person, { state, reason: cause }, now)
    await settleEffects(
      tx,
      [
        {
          tenantId: row.tenant_id,
          actionId: row.action_id,
          entityKey: leasedEntity(effect),
          idempotencyKey: row.idempotency_key,
          expected: row.state,
          fence: row.fence,
          become: state,
          attempt: null,
          cause,
          dueMs: null,
          keepsEntity: !effect.facts.continues,
          receiptId: null,
          entry: null,
          releases: [],
        },
      ],
      now.toISOString(),
    )
    return entry
  })
}

type Step = (tx: Transaction, effect: Effect, now: Date) => Promise<ReturnType<typeof effectEntry>>

async function move(word: Word, step: Step): Promise<Effect> {
  const now = word.clock()
  const moved = await word.database.asWorker([word.tenant], async (tx) => {
    const row = await lockEffectRow(tx, word.tenant, word.action)
    if (!row) throw await isChange(tx, word)
    const effect = effectOf(row)
    const entry = await step(tx, effect, now)
    await appendEntries(tx, word.tenant, row.reseller_id, now.toISOString(), [entry])
    return effect
  })
  await advancePlan(word, word.tenant, moved.row.plan_id)
  return moved
}

/** Writes an end by a person with its receipt; the row is locked. */
async function end(
  tx: Transaction,
  effect: Effect,
  state: Parameters<typeof effectReceipt>[1]['state'],
  cause: string,
  now: Date,
): Promise<void> {
  const { row } = effect
  const approvals = await readApprovals(tx, [row.tenant_id], [row.action_id])
  const receipt = effectReceipt(effect, { state, cause, approvals }, now)
  await settleEffects(
    tx,
    [
      {
        tenantId: row.tenant_id,
        actionId: row.action_id,
        entityKey: leasedEntity(effect),
        idempotencyKey: row.idempotency_key,
        expected: row.state,
        fence: row.fence,
        become: state,
        attempt: null,
        cause,
        dueMs: null,
        keepsEntity: false,
        receiptId: receipt.id,
        entry: receipt,
        releases: state === 'failed' ? reservedBy(effect, effect.attempt) : [],
      },
    ],
    now.toISOString(),
  )
}

/** What a person may do about a configuration change is another thing, and nothing once it has ended. */
async function isChange(tx: Transaction, { tenant, action }: Word): Promise<FibricError> {
  const [row] = await readActionsById(tx, [tenant], action)
  const what = `\`${action}\` is a configuration change`
  if (row?.state === 'held') {
    return new FibricError('STATE_CONFLICT', what, { hint: `answer it with: fibric plans veto ${action}` })
  }
  const stands = row && isTerminal(row.state) ? `, and has ended: it is ${row.state}` : ''
  return new FibricError('STATE_CONFLICT', `${what}${stands}`, { hint: `see: fibric plans show ${action}` })
}

function refusal({ row }: Effect, verb: string, hint: string | null): FibricError {
  return new FibricError('STATE_CONFLICT', `\`${row.action_id}\` is ${row.state} and cannot be ${verb}`, {
    hint: hint ?? `see: fibric trace ${row.action_id}`,
  })
}

function locked({ row }: Effect): FibricError {
  return new FibricError('ENTITY_LOCKED', `\`${row.action_id}\` is under way`, {
    hint: `wait for it, or take it away: fibric actions kill ${row.action_id} --reason …`,
  })
}

function killHint({ row }: Effect): string | null {
  const underWay = row.state === 'intent' || row.state === 'reconciling'
  return underWay ? `it is under way: fibric actions kill ${row.action_id} --reason …` : null
}
