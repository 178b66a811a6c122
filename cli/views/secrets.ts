import type { SecretListing, WrittenSecret } from '../../controller/operations/secrets.ts'
import { renderTable } from './table.ts'

export function renderWritten(written: WrittenSecret): string {
  const kept =
    written.previousUntil === null ? '' : `; version ${written.version - 1} is good until ${written.previousUntil}`
  return `${written.name}.${written.field} of ${written.tenant} is at version ${written.version}${kept}`
}

export function writtenJson({ previousUntil, ...written }: WrittenSecret): { [field: string]: unknown } {
  return { object: 'secret', ...written, previous_until: previousUntil }
}

export function renderSecrets(secrets: readonly SecretListing[]): string {
  if (secrets.length === 0) return 'There are no secrets.'
  const rows = secrets.map((secret) => [
    secret.name,
    secret.field,
    String(secret.version),
    secret.created_at,
    secret.created_by,
    secret.previous_version === null ? '-' : `${secret.previous_version} until ${secret.previous_until}`,
  ])
  return renderTable(['NAME', 'FIELD', 'VERSION', 'SET AT', 'BY', 'ALSO GOOD'], rows)
}

export function secretJson(secret: SecretListing): { [field: string]: unknown } {
  return { object: 'secret', ...secret }
}
