/** One thing that is wrong with a document, with its place as a JSON pointer; whoever has the text adds line and column. */
export interface SchemaProblem {
  readonly code: ProblemCode
  /** One line, lower case, no full stop, the offending input in backticks. */
  readonly message: string
  readonly hint: string | null
  /** JSON pointer into the document. */
  readonly pointer: string
  /** The pointer means the key of the field, not its value. */
  readonly atKey: boolean
  /** Absent means an error. A warning is for what can only be a mistake, but harms nothing until it is used. */
  readonly severity?: 'warning'
}

/** Every code a document can be refused with by its schema or by the rules of its kind. */
export const problemCodes = [
  'API_VERSION',
  'BAD_FORMAT',
  'CONFLICTING_FIELDS',
  'DUPLICATE_ITEM',
  'KIND_MISMATCH',
  'KIND_SCOPE',
  'MISSING_FIELD',
  'NOT_IN_ENUM',
  'OUT_OF_RANGE',
  'PLATFORM_ONLY',
  'READ_NOT_VOUCHED',
  'SCHEMA_DIALECT',
  'SLUG_RESERVED',
  'TENANT_NAME_MISMATCH',
  'TENANT_PATH_MISMATCH',
  'TIER_FLOOR',
  'UNKNOWN_FIELD',
  'UNKNOWN_TOOL',
  'WRONG_TYPE',
] as const
export type ProblemCode = (typeof problemCodes)[number]

/** `/spec/rules/0/match` as people write it: `spec.rules[0].match`. */
export function dotted(pointer: string): string {
  if (pointer === '') return 'the document'
  let out = ''
  for (const token of pointerTokens(pointer)) {
    if (/^\d+$/.test(token)) out += `[${token}]`
    else if (/^[A-Za-z_][\w-]*$/.test(token)) out += out === '' ? token : `.${token}`
    else out += `[${JSON.stringify(token)}]`
  }
  return out
}

/** `pointer` with one more token, escaped as RFC 6901 asks. */
export function below(pointer: string, token: string | number): string {
  return `${pointer}/${typeof token === 'number' ? token : token.replaceAll('~', '~0').replaceAll('/', '~1')}`
}

export function pointerTokens(pointer: string): string[] {
  return pointer
    .split('/')
    .slice(1)
    .map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~'))
}

/** A value as it may stand in a message: short, on one line, in backticks. */
export function quoted(value: unknown): string {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? String(value))
  const line = text.replaceAll(/[\p{Cc}\p{Cs}`\u2028\u2029]/gu, '�')
  return `\`${line.length > 60 ? `${line.slice(0, 59)}…` : line}\``
}
