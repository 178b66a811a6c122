import type { ActionEvent } from '../../domain/action-machine.ts'
import { isTerminal, nextState } from '../../domain/action-machine.ts'
import type { Address, Digest, ReceiptId } from '../../domain/ids.ts'
import type { JsonObject } from '../../domain/json.ts'
import { receiptEntry } from '../../domain/receipt.ts'
import { type ActionRow, lockWaitingActions, moveAction } from '../../store/actions.ts'
import { readApprovals } from '../../store/approvals.ts'
import type { DomainRow } from '../../store/domains.ts'
import { type ExecutionPlanRow, readPlansById } from '../../store/execution-plans.ts'
import { appendEntries } from '../../store/ledger.ts'
import type { Transaction } from '../../store/tenancy.ts'
import { changeOfAction, receiptFactsOf } from './record.ts'
import { newId, type Run } from './run.ts'

/** Why a waiting action ends without having been carried out. */
interface End {
  readonly event: Extract<ActionEvent, 'expire' | 'supersede' | 'veto' | 'skip'>
  readonly cause: string
}

/**
 * Ends the waiting actions of a domain that have no business waiting any longer: those past their date, those whose
 * change the newest plan drops or alters, and those that wait for one that ended. Each gets its receipt.
 *
 * `wanted` holds the digests of the plan's changes, `looksAt` the addresses the plan spoke about: what a narrower plan
 * did not look at waits on.
 */
export async function settleWaiting(
  run: Run,
  domain: DomainRow,
  wanted: ReadonlySet<Digest>,
  looksAt: (address: Address) => boolean,
): Promise<ActionRow[]> {
  return run.database.asWorker([domain.tenant_id], async (tx) => {
    const now = run.clock()
    const waiting = await lockWaitingActions(tx, domain.tenant_id)
    const ending = waiting.flatMap((action) => {
      const end = endOf(action, wanted, looksAt, now)
      return end ? [{ action, end }] : []
    })
    const proposed = await runsOf(tx, run, domain, ending)
    const ended: ActionRow[] = []
    for (const { action, end } of ending) ended.push(await endAction(proposed(action), tx, domain, action, end, now))
    return ended
  })
}

function endOf(
  action: ActionRow,
  wanted: ReadonlySet<Digest>,
  looksAt: (address: Address) => boolean,
  now: Date,
): End | null {
  if (action.expires_at !== null && Date.parse(action.expires_at) <= now.getTime() && action.state === 'held') {
    return { event: 'expire', cause: `nobody decided before ${action.expires_at}` }
  }
  if (action.change_digest !== null && looksAt(action.entity_key as Address) && !wanted.has(action.change_digest)) {
    return { event: 'supersede', cause: 'the desired state no longer contains this change' }
  }
  return null
}

/**
 * Ends a waiting action whose object has moved since it was proposed: its turn can never come, and whatever finds it
 * would fail on it for ever, other tenants' applications included.
 */
export async function supersedeMoved(run: Run, domain: DomainRow, action: ActionRow): Promise<void> {
  await run.database.asWorker([domain.tenant_id], async (tx) => {
    const locked = (await lockWaitingActions(tx, domain.tenant_id)).find((row) => row.action_id === action.action_id)
    const cause = `\`${action.entity_key}\` moved since this was proposed`
    if (!locked) return
    const proposed = await runsOf(tx, run, domain, [{ action: locked }])
    await endAction(proposed(locked), tx, domain, locked, { event: 'supersede', cause }, run.clock())
  })
}

/** The run that proposed an action: its receipt tells of that one, whichever run ends it. */
async function runsOf(
  tx: Transaction,
  run: Run,
  domain: DomainRow,
  ending: readonly { readonly action: ActionRow }[],
): Promise<(action: ActionRow) => Run> {
  const ids = [...new Set(ending.map(({ action }) => action.plan_id))]
  const plans = ids.length === 0 ? [] : await readPlansById(tx, [domain.tenant_id], ids)
  const byId = new Map(plans.map((plan) => [plan.plan_id, asProposed(run, plan)]))
  return (action) => byId.get(action.plan_id) ?? run
}

/** A run that goes on with what another one proposed: its receipts cite the plan they come from. */
export function asProposed(run: Run, plan: ExecutionPlanRow): Run {
  const source: JsonObject = plan.source
  return { ...run, configPlanId: plan.config_plan_id, correlationId: plan.correlation_id, source }
}

/** Ends one waiting action with its receipt, inside the caller's transaction, which holds its row. */
export async function endAction(
  run: Pick<Run, 'correlationId' | 'configPlanId' | 'source'>,
  tx: Transaction,
  domain: DomainRow,
  action: ActionRow,
  end: End,
  now: Date,
): Promise<ActionRow> {
  const state = nextState(action.state, end.event)
  if (state === null || !isTerminal(state)) throw new TypeError(`an action cannot ${end.event} from ${action.state}`)
  const at = now.toISOString()
  const receiptId = newId<ReceiptId>('receipt', now)
  const moved: ActionRow = { ...action, state, state_at: at, receipt_id: receiptId, cause: end.cause }
  const approvals = await readApprovals(tx, [domain.tenant_id], [action.action_id])
  const facts = receiptFactsOf(run, domain, { change: changeOfAction(action), approvals }, moved, receiptId, at)
  await moveAction(tx, domain.tenant_id, moved)
  await appendEntries(tx, domain.tenant_id, domain.reseller_id, at, [receiptEntry(facts)])
  return moved
}
