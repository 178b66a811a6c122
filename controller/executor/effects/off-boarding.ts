import { FibricError } from '../../domain/errors.ts'
import type { TenantId } from '../../domain/ids.ts'
import { type ActionRow, lockWaitingActions, readOpenActions } from '../../store/actions.ts'
import type { Database } from '../../store/connect.ts'
import type { DomainRow } from '../../store/domains.ts'
import { readPlansById } from '../../store/execution-plans.ts'
import { endAction } from '../config/settle-waiting.ts'
import { cancelAction, escalateAction, type Word } from './control.ts'

export interface OffBoarding {
  readonly database: Database
  readonly clock: () => Date
  readonly person: string
}

const why = 'its tenant was deleted'

/**
 * Ends what waits in domains whose Tenant is gone: nothing of them may run any more. Effects are cancelled, changes are
 * superseded, each with its receipt; a doubt is left to a person, who says what happened. What is under way ends by itself
 * and is looked at again. Answers how many it moved.
 */
export async function endActionsOfDeleted(parts: OffBoarding, deleted: readonly DomainRow[]): Promise<number> {
  const tenants = deleted.map(({ tenant_id }) => tenant_id)
  if (tenants.length === 0) return 0
  const open = await parts.database.asWorker(tenants, (tx) => readOpenActions(tx, tenants), { access: 'read only' })
  let moved = 0
  for (const action of open.filter(({ change }) => change === null)) if (await endEffect(parts, action)) moved++
  const changed = new Set(open.filter(({ change }) => change !== null).map(({ tenant_id }) => tenant_id))
  for (const domain of deleted) if (changed.has(domain.tenant_id)) moved += await supersedeChanges(parts, domain)
  return moved
}

async function endEffect({ database, clock, person }: OffBoarding, action: ActionRow): Promise<boolean> {
  const word: Word = { database, clock, person, tenant: action.tenant_id, action: action.action_id, reason: why }
  try {
    if (cancellable.has(action.state)) await cancelAction(word)
    else if (action.state === 'unknown') await escalateAction(word)
    else return false
    return true
  } catch (error) {
    // It moved meanwhile: taken on, or skipped with the one before it.
    if (error instanceof FibricError && error.code === 'STATE_CONFLICT') return false
    throw error
  }
}

const cancellable: ReadonlySet<ActionRow['state']> = new Set(['planned', 'held', 'waiting'])

function supersedeChanges({ database, clock }: OffBoarding, domain: DomainRow): Promise<number> {
  const tenant: TenantId = domain.tenant_id
  return database.asWorker([tenant], async (tx) => {
    const waiting = await lockWaitingActions(tx, tenant)
    const plans = await readPlansById(tx, [tenant], [...new Set(waiting.map(({ plan_id }) => plan_id))])
    for (const action of waiting) {
      const plan = plans.find(({ plan_id }) => plan_id === action.plan_id)!
      const { correlation_id: correlationId, config_plan_id: configPlanId, source } = plan
      await endAction(
        { correlationId, configPlanId, source },
        tx,
        domain,
        action,
        { event: 'supersede', cause: why },
        clock(),
      )
    }
    return waiting.length
  })
}
