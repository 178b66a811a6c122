/** One problem in the input: what is wrong, where, and what to do about it. Every command reports all of them. */
export interface Diagnostic {
  /** A registered code in capitals, such as `UNKNOWN_FIELD`; see `codes.ts`. */
  readonly code: string
  readonly severity: 'error' | 'warning'
  /** One line, lower case, no full stop, the offending input in backticks. */
  readonly message: string
  readonly hint: string | null
  /** Path below the repository's root, with forward slashes. */
  readonly path: string
  /** 1-based; the column counts UTF-16 code units. */
  readonly line: number
  readonly column: number
  readonly endLine: number
  readonly endColumn: number
  /** The source line at fault, shortened; null when the file cannot be shown. */
  readonly snippet: string | null
  /** Other places that belong to the same problem: the other half of a conflict, the steps of a cycle. */
  readonly related: readonly RelatedPlace[]
}

export interface RelatedPlace {
  readonly message: string
  readonly path: string
  readonly line: number
  readonly column: number
}
