import type { Span } from './source-text.ts'

/** A problem of one file before it is known where the file lies: what `Diagnostic` is made from. */
export interface ParseProblem {
  readonly code: string
  readonly message: string
  readonly hint: string | null
  readonly span: Span
  /** The other half of a conflict within the same file. */
  readonly related?: { readonly message: string; readonly span: Span }
}
