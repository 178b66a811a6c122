import { type ErrorCode, errorCodes } from './error-codes.ts'

export interface FibricErrorOptions {
  /** What to do next, as something that can be typed where possible. */
  readonly hint?: string
  readonly cause?: unknown
  /** Facts for machines: named objects, receipts, counts. Never a secret. */
  readonly details?: { readonly [key: string]: unknown }
}

/** An expected failure with a registered code: it names the input, the cause and the next step. */
export class FibricError extends Error {
  readonly code: ErrorCode
  readonly hint: string | null
  readonly details: { readonly [key: string]: unknown }

  constructor(code: ErrorCode, message: string, options: FibricErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'FibricError'
    this.code = code
    this.hint = options.hint ?? null
    this.details = options.details ?? {}
  }

  get exitCode(): number {
    return errorCodes[this.code].exit
  }
}
