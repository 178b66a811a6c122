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
    action.cause ?? '-',
  ])
  return renderTable(['ACTION', 'STATE', 'TENANT', 'CAPABILITY', 'ENTITY', 'WHY'], rows)
}
