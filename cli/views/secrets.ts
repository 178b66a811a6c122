import type { SecretShown, WrittenSecretShown } from '../../controller/operations/objects.ts'
import { renderTable } from './table.ts'

export function renderWritten(written: WrittenSecretShown): string {
  const kept =
    written.previous_until === null ? '' : `; version ${written.version - 1} is good until ${written.previous_until}`
  return `${written.name}.${written.field} of ${written.tenant} is at version ${written.version}${kept}`
}

export function renderSecrets(secrets: readonly SecretShown[]): string {
  if (secrets.length === 0) return 'There are no secrets.'
  const rows = secrets.map((secret) => [
    secret.tenant,
    secret.name,
    secret.field,
    String(secret.version),
    secret.created_at,
    secret.created_by,
    secret.previous_version === null ? '-' : `${secret.previous_version} until ${secret.previous_until}`,
  ])
  return renderTable(['TENANT', 'NAME', 'FIELD', 'VERSION', 'SET AT', 'BY', 'ALSO GOOD'], rows)
}
