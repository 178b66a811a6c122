import type { Address } from '../../domain/ids.ts'
import {
  type ActionRow,
  type EndedRow,
  lockWaitingActions,
  readOpenChanges,
  readRefusals,
} from '../../store/actions.ts'
import { readPlansById } from '../../store/execution-plans.ts'
import { resumeUnlessMoved } from './answer.ts'
import type { Run } from './run.ts'
import { asProposed, endAction } from './settle-waiting.ts'

/**
 * Goes on with actions that waited for one that has ended, whichever plan proposed that: those whose prerequisites are
 * all carried out go to the gate, those with one that ended otherwise end skipped, naming it. Repeats until nothing moves.
 */
export async function continueDependents(run: Run): Promise<void> {
  while (await continueOnce(run)) {
    // What moved may be what others wait for.
  }
}

async function continueOnce(run: Run): Promise<boolean> {
  const { waiting, isOpen, refusals, plans } = await readDependents(run)
  let moved = false
  for (const action of waiting) {
    if (action.after.some((address) => isOpen(address))) continue
    const own = asProposed(run, plans.get(action.plan_id)!)
    const refusal = refusals.find((ended) => stoodAgainst(ended, action))
    if (refusal) {
      await skip(own, action, `\`${refusal.entity_key}\` ended ${refusal.state}`)
      moved = true
    } else {
      // What nobody refused since was carried out, or needed nothing.
      const resumed = await resumeUnlessMoved(own, domainOf(run, action), action)
      moved ||= resumed === null || ['applied', 'held', 'blocked', 'skipped'].includes(resumed.outcome)
    }
  }
  return moved
}

/** Superseded is no refusal: the plan that dropped the change has spoken about what depends on it as well. */
function stoodAgainst(ended: EndedRow, action: ActionRow): boolean {
  return action.after.includes(ended.entity_key) && ended.state_at >= action.created_at
}

async function readDependents(run: Run) {
  const tenants = [...run.domains.values()].map((domain) => domain.tenant_id)
  return run.database.asWorker(
    tenants,
    async (tx) => {
      const open = await readOpenChanges(tx, tenants)
      const waiting = open.filter((action) => action.state === 'planned')
      const addresses = [...new Set(waiting.flatMap((action) => action.after))]
      const plans = await readPlansById(tx, tenants, [...new Set(waiting.map((action) => action.plan_id))])
      const unfinished = new Set(open.map((action) => action.entity_key as Address))
      return {
        waiting,
        isOpen: (address: Address): boolean => unfinished.has(address),
        refusals: addresses.length === 0 ? [] : await readRefusals(tx, tenants, addresses),
        plans: new Map(plans.map((plan) => [plan.plan_id, plan])),
      }
    },
    { access: 'read only' },
  )
}

async function skip(run: Run, action: ActionRow, cause: string): Promise<void> {
  const domain = domainOf(run, action)
  await run.database.asWorker([domain.tenant_id], async (tx) => {
    const locked = (await lockWaitingActions(tx, domain.tenant_id)).find((row) => row.action_id === action.action_id)
    if (locked?.state === 'planned') await endAction(run, tx, domain, locked, { event: 'skip', cause }, run.clock())
  })
}

function domainOf(run: Run, action: ActionRow) {
  return [...run.domains.values()].find((domain) => domain.tenant_id === action.tenant_id)!
}
