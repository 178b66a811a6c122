import type { EntryShown } from '../../controller/operations/objects.ts'
import { renderTable } from './table.ts'

export function renderReceipts(entries: readonly EntryShown[]): string {
  if (entries.length === 0) return 'The ledger is empty.'
  const rows = entries.map((entry) => [
    entry.id,
    entry.tenant,
    entry.position === null ? '-' : String(entry.position),
    entry.created_at,
    entry.kind === 'receipt' ? String(entry.body.outcome) : entry.kind,
    String(entry.body.capability ?? '-'),
    String(entry.body.entity_key ?? '-'),
    whoOf(entry),
  ])
  return renderTable(['ID', 'TENANT', 'POSITION', 'AT', 'OUTCOME', 'CAPABILITY', 'ENTITY', 'BY'], rows)
}

function whoOf(entry: EntryShown): string {
  const { proposer, person } = entry.body as { proposer?: { name?: string }; person?: string }
  return proposer?.name ?? person ?? '-'
}
