import { alignColumns } from './columns.ts'

/** Rows below their headings. */
export function renderTable(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  return `${alignColumns([headings, ...rows]).join('\n')}\n`
}

/** The API's list shape; a command has followed every page. */
export function listJson(data: readonly unknown[]) {
  return { object: 'list', data, has_more: false, next_cursor: null }
}
