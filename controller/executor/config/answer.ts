import { type Approval, countsFor, mayVeto, type Separated } from '../../domain/approvals.ts'
import { FibricError } from '../../domain/errors.ts'
import { type Address, platformTenantId, type ReceiptId } from '../../domain/ids.ts'
import type { JsonObject } from '../../domain/json.ts'
import { controlEntry } from '../../domain/receipt.ts'
import type { ResourceContent } from '../../domain/resource.ts'
import type { Hold, Verdict } from '../../domain/verdict.ts'
import { type ActionRow, lockActions, lockWaitingActions } from '../../store/actions.ts'
import { readApprovals, writeApproval } from '../../store/approvals.ts'
import { readContents } from '../../store/contents.ts'
import type { DomainRow } from '../../store/domains.ts'
import { appendEntries } from '../../store/ledger.ts'
import { approvalOf, noLongerWaiting, proposerOf, separatedFrom } from './answers.ts'
import { carryOutBatch } from './batch.ts'
import { changeOfAction } from './record.ts'
import { readRules } from './rules-in-force.ts'
import { type ChangeOutcome, type Item, newId, type RulesInForce, type Run } from './run.ts'
import { endAction, supersedeMoved } from './settle-waiting.ts'
import { withRetry } from './with-retry.ts'

export interface Answer {
  readonly decision: 'approve' | 'veto'
  readonly reason: string | null
}

/**
 * Notes one person's answer to a held action, in the ledger too. The action's rules decide whether that person may
 * answer; the first answer of a person stands.
 */
export async function giveAnswer(run: Run, domain: DomainRow, action: ActionRow, answer: Answer): Promise<void> {
  const now = run.clock()
  const rules = await rulesOf(run, domain)
  const held = holdsOf(action)
  const approval = approvalOf(run.actor.person, false, held, rules)
  requireEntitled(run, action, answer, held, approval)
  const roles = rolesShown(approval)
  const noted = await run.database.asWorker([domain.tenant_id], async (tx) => {
    // Held against the action as it is now, and kept so until the answer is there: none is noted of one that went on.
    const [locked] = await lockActions(tx, domain.tenant_id, [action.action_id])
    if (locked?.state !== 'held') throw noLongerWaiting(locked ?? action)
    const first = await writeApproval(tx, domain.reseller_id, {
      tenant_id: domain.tenant_id,
      action_id: action.action_id,
      person: run.actor.person,
      decision: answer.decision,
      change_digest: action.change_digest,
      roles,
      reason: answer.reason,
      signature: null,
      key_id: run.actor.keyId,
      created_at: now.toISOString(),
    })
    if (!first) return false
    const details: JsonObject = {
      action_id: action.action_id,
      change_digest: action.change_digest,
      address: action.entity_key,
      reason: answer.reason,
      roles,
    }
    const entry = controlEntry(newId<ReceiptId>('receipt', now), `control.plan.${answer.decision}`, {
      tenantId: domain.tenant_id,
      person: run.actor.person,
      at: now.toISOString(),
      details,
    })
    await appendEntries(tx, domain.tenant_id, domain.reseller_id, now.toISOString(), [entry])
    return true
  })
  if (noted) return
  // Who approved it may still keep it from happening: not by a second answer, but by ending it.
  const mayEnd = answer.decision === 'veto' && action.change_digest === null
  throw new FibricError('STATE_CONFLICT', `\`${run.actor.person}\` has answered for \`${action.action_id}\` already`, {
    hint: mayEnd
      ? `a person counts once: end it with: fibric actions cancel ${action.action_id} --reason …`
      : 'a person counts once: another approver has to answer',
  })
}

/** Ends a held action that was vetoed: one veto is enough. */
export async function carryOutVeto(
  run: Run,
  domain: DomainRow,
  action: ActionRow,
  veto: { readonly person: string; readonly reason: string | null },
): Promise<ActionRow> {
  return run.database.asWorker([domain.tenant_id], async (tx) => {
    const locked = (await lockWaitingActions(tx, domain.tenant_id)).find((row) => row.action_id === action.action_id)
    if (locked?.state !== 'held') throw noLongerWaiting(action)
    const cause = `vetoed by ${veto.person}${veto.reason ? `: ${veto.reason}` : ''}`
    return endAction(run, tx, domain, locked, { event: 'veto', cause }, run.clock())
  })
}

/** Takes a waiting action to the gate again: approvals are held against the rules found now. */
export async function resumeAction(run: Run, domain: DomainRow, action: ActionRow): Promise<ChangeOutcome> {
  const item = await itemOf(run, domain, action)
  const veto = item.approvals.find(({ decision }) => decision === 'veto')
  if (veto && action.state === 'held') {
    // Somebody was killed between saying no and acting on it: no later approval outvotes that.
    throw noLongerWaiting(await carryOutVeto(run, domain, action, veto))
  }
  const [outcome] = await withRetry(() => carryOutBatch(run, domain.slug, [item], action.ordinal))
  return outcome!
}

/**
 * The same where nobody asked for this action by name: one whose object has moved is ended, and null is answered. One
 * that a brake stops waits on: what is approved may be carried out when the brake lets go of it.
 */
export async function resumeUnlessMoved(run: Run, domain: DomainRow, action: ActionRow): Promise<ChangeOutcome | null> {
  try {
    return await resumeAction(run, domain, action)
  } catch (error) {
    if (error instanceof FibricError && error.code === 'BRAKE') return stopped(action, error.message)
    const isOver = error instanceof FibricError && (error.code === 'PLAN_STALE' || error.details.contentGone === true)
    if (!isOver) throw error
    await supersedeMoved(run, domain, action)
    return null
  }
}

function stopped(action: ActionRow, reason: string): ChangeOutcome {
  const change = changeOfAction(action)
  const { action_id: actionId } = action
  return { address: change.address, change, outcome: 'waiting', actionId, receiptId: null, reasons: [reason] }
}

/** A waiting action with everything it needs, from the database alone: the repository may have moved on. */
async function itemOf(run: Run, domain: DomainRow, action: ActionRow): Promise<Item> {
  const change = changeOfAction(action)
  const digests = [change.digestAfter, change.digestBefore, ...Object.values(change.source?.files ?? {})]
  const places = digests.flatMap((digest) => (digest === null ? [] : [{ tenantId: domain.tenant_id, digest }]))
  const [contents, approvals] = await run.database.asWorker(
    [domain.tenant_id],
    async (tx) =>
      [await readContents(tx, places), await readApprovals(tx, [domain.tenant_id], [action.action_id])] as const,
    { access: 'read only' },
  )
  const document = (digest: string | null): ResourceContent | null => {
    const bytes = digest === null ? undefined : contents.get(digest as never)
    return bytes ? (JSON.parse(bytes.toString('utf8')) as ResourceContent) : null
  }
  const material = { content: document(change.digestAfter), before: document(change.digestBefore), files: new Map() }
  if (change.digestAfter !== null && material.content === null) {
    throw new FibricError('STATE_CONFLICT', `the content of \`${change.address}\` that was held is gone`, {
      hint: 'apply the repository again: the change will be proposed anew',
      details: { contentGone: true },
    })
  }
  return { change, material, existing: action, approvals }
}

function rulesOf(run: Run, domain: DomainRow): Promise<RulesInForce> {
  const tenants = [...new Set([platformTenantId, domain.tenant_id])]
  return run.database.asWorker(tenants, (tx) => readRules(tx, run.genesis, [domain], new Map(), run.clock()), {
    access: 'read only',
  })
}

function holdsOf(action: ActionRow): readonly Hold[] {
  const verdict = action.verdict as unknown as Verdict | null
  return verdict?.holds.filter((hold) => hold.mode === 'hold') ?? []
}

function requireEntitled(
  run: Run,
  action: ActionRow,
  answer: Answer,
  holds: readonly Hold[],
  approval: Approval,
): void {
  const separated = separatedFromAction(action)
  const entitled =
    answer.decision === 'veto' ? mayVeto(holds, approval) : holds.some((hold) => countsFor(hold, approval, separated))
  if (entitled) return
  const roles = [...new Set(holds.map((hold) => hold.approvers.role ?? 'any role that approves'))].join(', ')
  const isOwn = separated.proposer === approval.person || separated.authors.includes(approval.person)
  const why = isOwn ? 'who proposed or wrote a change does not approve it' : `its rules ask for the role ${roles}`
  throw new FibricError(
    'INSUFFICIENT_SCOPE',
    `\`${run.actor.person}\` may not ${answer.decision} \`${action.entity_key as Address}\`: ${why}`,
    { hint: 'another person has to answer, with a key of their own: FIBRIC_TOKEN=…' },
  )
}

/** Who may not approve an action: an effect has a proposer, and nobody who wrote it. */
function separatedFromAction(action: ActionRow): Separated {
  if (action.change_digest === null) return { proposer: proposerOf(action).name, authors: [], signers: [] }
  return separatedFrom({ change: changeOfAction(action), existing: action })
}

function rolesShown(approval: Approval): JsonObject {
  return Object.fromEntries(Object.entries(approval.roles).map(([domain, roles]) => [domain, [...roles]]))
}
