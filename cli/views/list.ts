import { alignColumns } from './table.ts'

/** A head and rows below it. */
export function renderTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return alignColumns([head, ...rows]).join('\n')
}

/** The shape of every list of the API: lists of the command line are complete. */
export function listJson(data: readonly unknown[]): unknown {
  return { object: 'list', data, has_more: false, next_cursor: null }
}
