import type { Address } from '../../domain/ids.ts'
import { type ActionRow, lockWaitingActions, readActionsById, readOpenChanges } from '../../store/actions.ts'
import { resumeAction } from './answer.ts'
import type { ChangeOutcome, Run } from './run.ts'
import { endAction } from './settle-waiting.ts'

/**
 * Goes on with actions that waited for one that has ended: those whose prerequisites are all applied go to the gate,
 * those with one that ended otherwise end skipped, naming it. Repeats until nothing moves.
 */
export async function continueDependents(run: Run, correlationId: string): Promise<ChangeOutcome[]> {
  const outcomes: ChangeOutcome[] = []
  for (;;) {
    const moved = await continueOnce(run, correlationId, outcomes)
    if (!moved) return outcomes
  }
}

async function continueOnce(run: Run, correlationId: string, outcomes: ChangeOutcome[]): Promise<boolean> {
  const domains = [...run.domains.values()]
  const tenants = domains.map((domain) => domain.tenant_id)
  const [open, siblings] = await run.database.asWorker(
    tenants,
    async (tx) => [await readOpenChanges(tx, tenants), await readActionsById(tx, tenants, correlationId)] as const,
    { access: 'read only' },
  )
  const states = new Map(siblings.map((action) => [action.entity_key as Address, action.state]))
  const waiting = open.filter(
    (action) => action.state === 'planned' && siblings.some((other) => other.action_id === action.action_id),
  )
  let moved = false
  for (const action of waiting) {
    const domain = domains.find((candidate) => candidate.tenant_id === action.tenant_id)!
    // What was not recorded in this plan was applied before it, or needed nothing.
    const ended = action.after.map((address) => ({ address, state: states.get(address) ?? 'applied' }))
    const refused = ended.find(({ state }) => !['applied', 'deduplicated', 'planned', 'held'].includes(state))
    if (refused) {
      await skip(run, domain, action, `\`${refused.address}\` ended ${refused.state}`)
      moved = true
    } else if (ended.every(({ state }) => state === 'applied' || state === 'deduplicated')) {
      const outcome = await resumeAction(run, domain, action)
      outcomes.push(outcome)
      moved ||= outcome.outcome !== 'planned'
    }
  }
  return moved
}

async function skip(
  run: Run,
  domain: Parameters<typeof resumeAction>[1],
  action: ActionRow,
  cause: string,
): Promise<void> {
  await run.database.asWorker([domain.tenant_id], async (tx) => {
    const locked = (await lockWaitingActions(tx, domain.tenant_id)).find((row) => row.action_id === action.action_id)
    if (locked?.state === 'planned') await endAction(run, tx, domain, locked, { event: 'skip', cause }, run.clock())
  })
}
