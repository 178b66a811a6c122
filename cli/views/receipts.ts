import type { ShownEntry } from '../../controller/operations/receipts.ts'
import { renderTable } from './table.ts'

export function renderReceipts(entries: readonly ShownEntry[]): string {
  if (entries.length === 0) return 'The ledger is empty.'
  const rows = entries.map((entry) => [
    entry.id,
    entry.tenant,
    entry.position === null ? '-' : String(entry.position),
    entry.at,
    entry.kind === 'receipt' ? String(entry.body.outcome) : entry.kind,
    String(entry.body.entity_key ?? '-'),
    whoOf(entry),
  ])
  return renderTable(['ID', 'TENANT', 'POSITION', 'AT', 'OUTCOME', 'ENTITY', 'BY'], rows)
}

function whoOf(entry: ShownEntry): string {
  const { proposer, person } = entry.body as { proposer?: { name?: string }; person?: string }
  return proposer?.name ?? person ?? '-'
}
