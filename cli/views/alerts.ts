import type { AlertShown } from '../../controller/operations/effect-objects.ts'
import { renderTable } from './table.ts'

export function renderAlerts(alerts: readonly AlertShown[]): string {
  if (alerts.length === 0) return 'Nothing is to be seen.'
  const rows = alerts.map((alert) => [
    alert.id,
    alert.raised_at,
    alert.tenant,
    `${alert.capability} ${alert.entity_key}`,
    alert.state,
    `${alert.policy}#${alert.rule}`,
    alert.seen === null ? '-' : `by ${alert.seen.person}: ${alert.seen.reason}`,
  ])
  return renderTable(['ALERT', 'RAISED', 'TENANT', 'ACTION', 'STATE', 'RULE', 'SEEN'], rows)
}
