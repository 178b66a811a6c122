import type { ActionInSight } from '../../controller/operations/actions.ts'
import { renderTable } from './table.ts'

export function renderActions(actions: readonly ActionInSight[]): string {
  if (actions.length === 0) return 'Nothing is under way.'
  const rows = actions.map((action) => [
    action.action_id,
    action.state,
    action.tenant,
    action.capability,
    action.entity_key,
    action.cause ?? '-',
  ])
  return renderTable(['ACTION', 'STATE', 'TENANT', 'CAPABILITY', 'ENTITY', 'WHY'], rows)
}
