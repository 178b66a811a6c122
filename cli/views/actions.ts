import type { ActionShown } from '../../controller/operations/effect-objects.ts'
import { renderTable } from './table.ts'

export function renderActions(actions: readonly ActionShown[]): string {
  if (actions.length === 0) return 'Nothing is under way.'
  const rows = actions.map((action) => [
    action.id,
    action.state,
    action.tenant,
    action.capability,
    action.entity_key,
    whyOf(action),
  ])
  return renderTable(['ACTION', 'STATE', 'TENANT', 'CAPABILITY', 'ENTITY', 'WHY'], rows)
}

/** A stop keeps what nothing else would; what the gate refused has its reasons in the verdict. */
function whyOf({ cause, state, stopped, verdict }: ActionShown): string {
  if (stopped !== null) return `stopped by ${stopped.person} (${stopped.reason})${cause === null ? '' : `; ${cause}`}`
  const { reasons = [] } = (verdict ?? {}) as { reasons?: readonly string[] }
  return cause ?? (state === 'blocked' && reasons.length > 0 ? reasons.join('; ') : '-')
}
