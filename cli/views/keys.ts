import type { KeyShown } from '../../controller/operations/objects.ts'
import { renderTable } from './table.ts'

export function renderKeys(keys: readonly KeyShown[]): string {
  if (keys.length === 0) return 'There are no keys.'
  const rows = keys.map((key) => [
    key.id,
    key.tenant,
    `${key.prefix}…${key.last_four}`,
    key.role,
    key.user_address ?? '-',
    key.created_by,
    key.revoked_at ? `revoked ${key.revoked_at}` : (key.expires_at ?? 'no expiry'),
  ])
  return renderTable(['KEY', 'TENANT', 'SECRET', 'ROLE', 'USER', 'MADE BY', 'UNTIL'], rows)
}
