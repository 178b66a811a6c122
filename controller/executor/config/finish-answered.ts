import { type ActionRow, readOpenChanges } from '../../store/actions.ts'
import { type ApprovalRow, readApprovals } from '../../store/approvals.ts'
import type { DomainRow } from '../../store/domains.ts'
import { readPlansById } from '../../store/execution-plans.ts'
import { carryOutVeto, resumeUnlessMoved } from './answer.ts'
import type { Run } from './run.ts'
import { asProposed } from './settle-waiting.ts'

/**
 * Goes on where somebody who answered was killed: an answer is noted before it is acted on, so one that is noted and not
 * acted on has to be found by the next pass, and so has a change whose wait is over. What still waits is left as it is,
 * and nothing is written.
 */
export async function finishAnswered(run: Run): Promise<void> {
  const domains = new Map([...run.domains.values()].map((domain) => [domain.tenant_id, domain]))
  const { open, answers, plans } = await readWaiting(run, [...domains.keys()])
  for (const action of open) {
    const given = answers.filter((answer) => answer.action_id === action.action_id)
    if (action.state !== 'held' || given.length === 0) continue
    await finishOne(asProposed(run, plans.get(action.plan_id)!), domains.get(action.tenant_id)!, action, given)
  }
}

async function finishOne(
  run: Run,
  domain: DomainRow,
  action: ActionRow,
  answers: readonly ApprovalRow[],
): Promise<void> {
  const veto = answers.find((answer) => answer.decision === 'veto')
  if (veto) await carryOutVeto(run, domain, action, veto)
  else await resumeUnlessMoved(run, domain, action)
}

function readWaiting(run: Run, tenants: readonly DomainRow['tenant_id'][]) {
  return run.database.asWorker(
    tenants,
    async (tx) => {
      const open = await readOpenChanges(tx, tenants)
      const ids = open.map((action) => action.action_id)
      const plans = await readPlansById(tx, tenants, [...new Set(open.map((action) => action.plan_id))])
      return {
        open,
        answers: await readApprovals(tx, tenants, ids),
        plans: new Map(plans.map((plan) => [plan.plan_id, plan])),
      }
    },
    { access: 'read only' },
  )
}
